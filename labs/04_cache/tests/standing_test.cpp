// Task 3: what a write means to the policy.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>

#include "labs/04_cache/tests/cached.h"
#include "labs/04_cache/tests/patterns.h"
#include "labs/04_cache/tests/tests.h"

namespace pagealloc::labs {

namespace {

/// CLOCK with free frames. A write takes a frame before it looks for its page, as stage() does.
class Model {
 public:
  explicit Model(std::size_t frames) : free_(frames) {}

  bool has(PageId page) const {
    return std::ranges::find(ring_, page, &Entry::page) != ring_.end();
  }
  std::uint64_t evictions() const { return evictions_; }

  void read(PageId page) {
    if (const auto there = find(page); there != ring_.end()) {
      there->used = true;
      return;
    }
    take();
    ring_.push_back({page, false});
  }
  void write(PageId page) {
    take();
    if (const auto there = find(page); there != ring_.end()) {
      there->used = true;
      ++free_;
      return;
    }
    ring_.push_back({page, false});
  }

 private:
  struct Entry {
    PageId page;
    bool used;
  };
  std::deque<Entry>::iterator find(PageId page) {
    return std::ranges::find(ring_, page, &Entry::page);
  }
  void take() {
    if (free_ > 0) return void(--free_);
    for (; ring_.front().used; ring_.pop_front()) ring_.push_back({ring_.front().page, false});
    ring_.pop_front();
    ++evictions_;
  }
  std::size_t free_;
  std::deque<Entry> ring_;  // the hand is at the front
  std::uint64_t evictions_ = 0;
};

struct Step {
  std::size_t number;
  PageId page;
  bool write;
  std::uint64_t written_before;  // how often the page was

  std::string text(std::uint32_t frames) const {
    return fmt::format("step {} ({} frames), page {}, which was written {} before", number, frames,
                       page, counted(written_before, "time"));
  }
};

void check_step(Test& t, const Bare& bare, const Step& step, bool expected, bool found) {
  if (t.holds(expected == found)) return;
  t.fail({.expected = fmt::format("{}: it is {}there", step.text(bare.cache->frames()),
                                  expected ? "" : "not "),
          .found = found ? "it was there" : "it had gone",
          .cause =
              "a page that is written anew keeps its place with the policy (rename) and counts "
              "as used (touch): admitted anew, or not touched, the page that is written most "
              "goes first",
          .function = "Cache::put",
          .evidence = bare.picture()});
}

void check_evictions(Test& t, const Bare& bare, const Step& step, std::uint64_t expected) {
  const std::uint64_t found = bare.cache->counters().evictions;
  if (t.holds(found == expected)) return;
  t.fail(
      {.expected = fmt::format("{} up to {}", counted(expected, "eviction"),
                               step.text(bare.cache->frames())),
       .found = counted(found, "eviction"),
       .cause = found > expected
                    ? "a page went although a frame must be free: of a page that is written anew "
                      "the old frame comes back"
                    : "no page went although no frame can be free: one frame was taken twice",
       .function = "Cache::put",
       .evidence = bare.picture()});
}

const char* const told_first =
    "`uses` are hits of which nobody has told the policy yet: put() applies them, under the lock "
    "and before it changes anything, or they are lost";

/// A hit is told by the write of another page that comes after it.
void hits_are_told(Test& t) {
  constexpr std::uint32_t frames = 24;
  Bare& bare = Bare::kept(t, frames);
  const auto pages = some_pages(t.random(), frames, 0, 400);
  for (const PageId page : std::span(pages).first(frames - 1)) (void)bare.read(page);
  const FrameId staged = bare.stage();
  const PageId oldest = pages.front();
  std::vector<cache::Use> uses{{bare.cache->table().find(oldest), oldest}};
  bare.cache->put(staged, pages.back(), false, uses);
  const std::uint64_t hits = bare.cache->counters().hits;
  (void)bare.stage();  // makes room
  const bool there = bare.cache->table().find(oldest) != no_frame;
  if (t.holds(hits == 1 && uses.empty() && there)) return;
  t.fail(
      {.expected = fmt::format("put() of page {} was told of one hit, of page {}: it is counted, "
                               "`uses` is empty, and page {} is not the next to go",
                               pages.back(), oldest, oldest),
       .found = fmt::format("{} counted, {} left in `uses`, and page {} {}", counted(hits, "hit"),
                            uses.size(), oldest, there ? "has stayed" : "has gone"),
       .cause = told_first,
       .function = "Cache::put",
       .evidence = bare.picture()});
}

/// And the hit may be one of the very page.
void told_before_it_is_replaced(Test& t) {
  Bare& bare = Bare::kept(t, 24);
  const PageId page = t.random().below(400);
  std::vector<cache::Use> uses{{bare.ahead(page), page}};
  bare.cache->put(bare.stage(), page, false, uses);
  const CacheCounters counters = bare.cache->counters();
  if (t.holds(counters.ahead_used == 1 && counters.ahead_wasted == 0)) return;
  t.fail(
      {.expected = fmt::format("page {} was read ahead, then hit, then written: 1 used, 0 wasted "
                               "of what was read ahead",
                               page),
       .found = fmt::format("{} used, {} wasted", counters.ahead_used, counters.ahead_wasted),
       .cause = told_first,
       .function = "Cache::put",
       .evidence = bare.picture()});
}

/// CLOCK remembers nothing; S3-FIFO knows pages that have gone, and keeps those longer.
void what_is_remembered(Test& t) {
  constexpr std::uint32_t frames = 20;
  Bare& bare = Bare::kept(t, frames, 400, Eviction::s3_fifo);
  expect_trouble(t, {"the policy was told that it remembers a page that it does not remember: what "
                     "admit() is told is what remembers() has answered",
                     "Cache::put"});
  const auto pages = some_pages(t.random(), 4 * frames, 0, 400);
  const PageId gone = pages[0];
  for (const PageId page : std::span(pages).first(frames + 1)) (void)bare.read(page);
  const PageId unknown = pages[frames + 1];
  (void)bare.write(unknown, 1, false);
  (void)bare.write(gone, 1, false);
  for (const PageId page : std::span(pages).subspan(frames + 2)) (void)bare.read(page);
  const bool stayed = bare.cache->table().find(gone) != no_frame;
  const bool left = bare.cache->table().find(unknown) == no_frame;
  if (t.holds(stayed && left)) return;
  t.fail({.expected = fmt::format("S3-FIFO remembers page {}, which has gone not long ago, and not "
                                  "page {}. Both are written, then {} others are read: page {} has "
                                  "stayed, page {} has gone",
                                  gone, unknown, 3 * frames - 2, gone, unknown),
          .found = fmt::format("page {} has {}, page {} has {}", gone, stayed ? "stayed" : "gone",
                               unknown, left ? "gone" : "stayed"),
          .cause =
              "put() admits a page that is nowhere with what the policy remembers of it. CLOCK "
              "remembers nothing, but put() does not know which policy it has",
          .function = "Cache::put",
          .evidence = bare.picture()});
}

}  // namespace

void write_counts_as_use(Test& t) {
  t.expect_trouble(locked_twice("put()"));
  hits_are_told(t);
  told_before_it_is_replaced(t);
  what_is_remembered(t);
  expect_trouble(t,
                 {"the policy must know exactly the frames that are in a page's place, each once: "
                  "rename() the old frame, or forget() it and admit() the new one",
                  "Cache::put"});
  for (const std::uint32_t frames : {20U, 50U}) {
    Bare& bare = Bare::kept(t, frames, pattern_pages);
    Model model(frames);
    std::map<PageId, std::uint64_t> written;
    for (std::size_t number = 0; number < 6000; ++number) {
      const PageId page = skewed_page(t.random(), number);
      const Step step{number, page, t.random().one_in(4), written[page]};
      const bool expected = model.has(page);
      const bool found = bare.cache->table().find(page) != no_frame;
      check_step(t, bare, step, expected, found);
      if (step.write) {
        (void)bare.write(page, 0, false);
        ++written[page];
        model.write(page);
      } else {
        (void)bare.read(page);
        model.read(page);
      }
      check_evictions(t, bare, step, model.evictions());
    }
  }
}

}  // namespace pagealloc::labs
