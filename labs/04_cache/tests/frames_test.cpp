// Task 2: where a frame comes from, while pages are only read.
#include <fmt/format.h>

#include <algorithm>

#include "labs/04_cache/tests/cached.h"
#include "labs/04_cache/tests/patterns.h"
#include "labs/04_cache/tests/tests.h"
#include "pagealloc/cache/tests/naive.h"

namespace pagealloc::labs {

using os::Call;

namespace {

const Blame evicted_while_lent{
    "a page was evicted while it was lent: its frame was given to another page, although somebody "
    "was still reading it. What claim() answers must be what decides",
    "Cache::take_frame"};

void lent_stays_on(Test& t, const char* impl) {
  Cached& cached = Cached::kept(t, {.impl = impl, .frames = 16, .pages = 300, .lends = 8});
  const auto order = some_pages(t.random(), 300, 0, 300);
  const std::span<const PageId> lent_pages = std::span(order).first(7);
  expect_trouble(t, evicted_while_lent);
  std::vector<PageRef> lent;
  for (const PageId page : lent_pages) lent.push_back(cached.lent(*cached.file, page));
  std::size_t reads = 0;
  for (const PageId page : std::span(order).subspan(7)) {
    cached.reads_as(page, 0, "when it is read", evicted_while_lent);
    if (++reads % 20 != 0) continue;
    for (const PageRef& ref : lent) {
      cached.holds(ref.bytes(), ref.page(), 0,
                   fmt::format("lent, after {} other pages were read", reads), evicted_while_lent);
    }
  }
  for (const PageRef& ref : lent) {
    cached.holds(ref.bytes(), ref.page(), 0, "lent, after all others were read",
                 evicted_while_lent);
  }
}

/// All frames held: then there is none. One given back: then it is that one.
void none_is_an_answer(Test& t) {
  constexpr std::uint32_t frames = 16;
  Bare& bare = Bare::kept(t, frames);
  const auto pages = some_pages(t.random(), frames, 0, 400);
  std::vector<FrameId> held;
  for (const PageId page : pages) held.push_back(bare.hold(page));
  const std::string before = bare.picture();
  const FrameId none = bare.stage();
  if (!t.holds(none == no_frame)) {
    t.fail({.expected = fmt::format("no_frame: all {} frames are held", frames),
            .found = fmt::format("frame {}, in which page {} is lent", none,
                                 bare.cache->table().page_of(none)),
            .cause = evicted_while_lent.cause,
            .function = evicted_while_lent.function,
            .evidence = before});
  }
  const std::size_t one = t.random().below(frames);
  bare.cache->unpin(held[one]);
  const FrameId found = bare.stage();
  if (!t.holds(found == held[one])) {
    t.fail({.expected =
                fmt::format("frame {}: its page was given back, all others are held", held[one]),
            .found = found == no_frame ? "no_frame" : fmt::format("frame {}", found),
            .cause = "a page that nobody reads may go, even if it is the only one",
            .function = "Cache::take_frame",
            .evidence = bare.picture()});
  }
  const FrameId gone = bare.cache->table().find(pages[one]);
  if (!t.holds(gone == no_frame)) {
    t.fail(
        {.expected = fmt::format("page {} is not found any more: its frame was taken", pages[one]),
         .found = fmt::format("it is found in frame {}", gone),
         .cause = "the frame did not leave the place of the page that it had (FrameTable::leave)",
         .function = "Cache::take_frame",
         .evidence = bare.picture()});
  }
}

}  // namespace

void lent_stays(Test& t) {
  t.expect_trouble(locked_twice("take_frame()"));
  (void)Bare::kept(t, 16).stage();
  for (const char* impl : {"direct", any_order}) lent_stays_on(t, impl);
  expect_trouble(t, evicted_while_lent);
  none_is_an_answer(t);
}

namespace {

constexpr std::size_t accesses = 3000;

std::uint64_t bytes_read(const Cached& cached) {
  std::uint64_t bytes = 0;
  for (const auto& record : cached.bench.calls_of(Call::preadv)) bytes += record.bytes;
  return bytes;
}

struct Access {
  const char* pattern;
  std::size_t number;
  PageId page;
};

void check_access(Test& t, const Cached& cached, std::uint32_t frames, const Access& access,
                  bool hit, std::uint64_t misses) {
  const CacheCounters found = cached.counters();
  const std::uint64_t evictions = misses > frames ? misses - frames : 0;
  if (t.holds(found.misses == misses && found.evictions == evictions)) return;
  std::string cause =
      "which page goes is the policy's choice: the hand's first that was not used. Perhaps a frame "
      "was taken that the policy did not name";
  if (found.evictions < evictions) {
    cause = "an eviction is counted where a page goes to make room";
  } else if (found.evictions > evictions) {
    cause = "a page went although a frame was free: free frames come first";
  }
  t.fail({.expected = fmt::format("access {} of page {} ({}, {} frames, on {}): a {}, {} so "
                                  "far",
                                  access.number, access.page, access.pattern, frames,
                                  cached.engine(), hit ? "hit" : "miss", evictions),
          .found = fmt::format("a {}, {} so far", hit == (found.misses == misses) ? "hit" : "miss",
                               counted(found.evictions, "eviction")),
          .cause = cause,
          .function = "Cache::take_frame",
          .evidence = tail_of(cached.bench.calls(), 10)});
}

void check_reads(Test& t, const Cached& cached, std::uint64_t misses) {
  const std::uint64_t bytes = bytes_read(cached);
  if (!t.holds(bytes == misses * 4096)) {
    t.fail({.expected = fmt::format("the disk was asked for {} pages, one for each miss (on {})",
                                    misses, cached.engine()),
            .found = fmt::format("for {} pages", bytes / 4096),
            .cause = "what is counted as a miss is what is read from the disk, no more and no less",
            .function = "Cache::take_frame",
            .evidence = tail_of(cached.bench.calls(), 10)});
  }
}

}  // namespace

void misses_are_the_policys(Test& t) {
  for (const char* impl : {"direct", any_order}) {
    for (const AccessPattern& pattern : access_patterns) {
      for (const std::uint32_t frames : {20U, 50U, 100U}) {
        Cached& cached = Cached::kept(t, {.impl = impl, .frames = frames, .pages = pattern_pages});
        cache::naive::Clock naive(frames);
        std::uint64_t misses = 0;
        for (std::size_t access = 0; access < accesses; ++access) {
          const PageId page = pattern.page(t.random(), access);
          const bool hit = naive.access(page);
          misses += hit ? 0U : 1U;
          (void)cached.lent(*cached.file, page);
          check_access(t, cached, frames, {pattern.name, access, page}, hit, misses);
        }
        check_reads(t, cached, misses);
      }
    }
  }
}

// --- Marks --------------------------------------------------------------------------------------

namespace {

void check_ahead(Test& t, const Cached& cached, std::uint64_t used, std::uint64_t wasted,
                 const std::string& when) {
  const CacheCounters counters = cached.counters();
  if (t.holds(counters.ahead_used == used && counters.ahead_wasted == wasted)) return;
  t.fail({.expected =
              fmt::format("of 16 pages read ahead {} used and {} wasted, {}", used, wasted, when),
          .found = fmt::format("{} used and {} wasted", counters.ahead_used, counters.ahead_wasted),
          .cause = "a frame kept a mark of the page before: \"read ahead, and not asked for yet\". "
                   "Its next page's first use was then taken for the page's that had gone",
          .function = "Cache::take_frame",
          .evidence = "clear_marks() counts what went unused, and takes the marks away\n"});
}

}  // namespace

void marks_are_gone(Test& t) {
  Cached& cached = Cached::kept(t, {.frames = 64, .pages = 500});
  const PageId first = t.random().below(20);
  const auto fetched = prefetch(*cached.file, first, 16);
  if (!t.holds(fetched.has_value() && cached.counters().ahead == 16)) {
    t.fail({.expected = "16 pages can be read ahead: that is a quarter of 64 frames",
            .found = fmt::format("{} pages{}", cached.counters().ahead,
                                 fetched ? "" : ", " + fetched.error().text()),
            .cause = "there is a free frame for each of them",
            .function = "Cache::take_frame"});
  }
  check_ahead(t, cached, 0, 0, "before anything else is read");
  const PageId others = 100 + t.random().below(100);
  for (PageId page = others; page < others + 192; ++page) {
    (void)cached.lent(*cached.file, page);
  }
  check_ahead(t, cached, 0, 16, "when 192 other pages have gone through 64 frames");
  for (PageId page = others + 128; page < others + 192; ++page) {
    (void)cached.lent(*cached.file, page);
  }
  (void)cached.lent(*cached.file, 499);
  check_ahead(t, cached, 0, 16, "after pages that were not read ahead are read again");
}

}  // namespace pagealloc::labs
