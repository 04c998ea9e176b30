// Task 4: which pages are to be written, and what becomes of their frames meanwhile.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "labs/04_cache/tests/cached.h"
#include "labs/04_cache/tests/tests.h"

namespace pagealloc::labs {

using cache::Dirty;

namespace {

constexpr std::uint32_t few_frames = 24;

std::vector<PageId> pages_of(std::span<const Dirty> batch) {
  std::vector<PageId> pages;
  for (const Dirty& dirty : batch) pages.push_back(dirty.page);
  return pages;
}

/// "100 ... 104, 130 ... 139".
std::string text_of(const std::vector<PageId>& pages) {
  std::string text;
  for (std::size_t i = 0; i < pages.size();) {
    std::size_t end = i + 1;
    while (end < pages.size() && pages[end] == pages[end - 1] + 1) ++end;
    if (!text.empty()) text += ", ";
    text += end - i > 1 ? fmt::format("{} ... {}", pages[i], pages[end - 1])
                        : fmt::format("{}", pages[i]);
    i = end;
  }
  return text.empty() ? "no page" : text;
}

/// Takes `max`, and it must be these pages.
std::vector<Dirty> take(Test& t, const Bare& bare, std::size_t max, std::vector<PageId> expected,
                        const std::string& which, const std::string& cause) {
  const std::span<const Dirty> batch = bare.cache->take_dirty(max);
  const auto found = pages_of(batch);
  if (!t.holds(found == expected)) {
    t.fail({.expected = fmt::format("{}: {}", which, text_of(expected)),
            .found = text_of(found),
            .cause = std::ranges::is_sorted(found)
                         ? cause
                         : "a batch goes to the file in rising order: after the turn at the end of "
                           "the file it is to be sorted",
            .function = "Cache::take_dirty"});
  }
  return {batch.begin(), batch.end()};
}

void check_dirty(Test& t, const Bare& bare, std::uint32_t expected, const std::string& when,
                 const std::string& cause) {
  const std::uint32_t found = bare.cache->dirty();
  if (t.holds(found == expected)) return;
  t.fail({.expected = fmt::format(
              "{} dirty, {}", expected == 1 ? "1 page is" : fmt::format("{} pages are", expected),
              when),
          .found = fmt::format("{}", found),
          .cause = cause,
          .function = "Cache::written",
          .evidence = bare.picture()});
}

/// All frames that are in no page's place and held by nobody can be had.
void check_all_can_be_had(Test& t, Bare& bare, std::size_t expected, const std::string& when) {
  const auto all = bare.stage_all();
  if (t.holds(all.size() == expected)) return;
  t.fail({.expected =
              fmt::format("{} of {} frames can be had, {}", expected, bare.cache->frames(), when),
          .found = fmt::format("{}", all.size()),
          .cause =
              "written() takes back what take_dirty() gave: the hold, and the mark that the "
              "frame is moving; a frame whose page has a newer one ends here, and is reclaimed",
          .function = "Cache::written",
          .evidence = bare.picture()});
}

void held_while_it_is_written(Test& t) {
  Bare& bare = Bare::kept(t, few_frames);
  auto pages = some_pages(t.random(), 2, 0, 400);
  std::ranges::sort(pages);
  const FrameId older = bare.write(pages[0], 1);
  (void)bare.write(pages[1], 1);
  const auto batch = take(t, bare, 1, {pages[0]}, "take_dirty(1) of two dirty pages",
                          "the first call begins at the front of the file");
  if (!t.holds(batch.front().frame == older)) {
    t.fail({.expected = fmt::format("page {} is in frame {}", pages[0], older),
            .found = fmt::format("take_dirty() says frame {}", batch.front().frame),
            .cause = "a dirty page's frame is the one that was put last",
            .function = "Cache::put"});
  }
  expect_trouble(
      t, {"a frame that take_dirty() gave out must be held until written(): there a hold is "
          "given back",
          "Cache::take_dirty"});
  (void)bare.write(pages[0], 2);
  const std::string before = bare.picture();
  const auto staged = bare.stage_all();
  const bool given = std::ranges::find(staged, older) != staged.end();
  if (!t.holds(!given && std::ranges::equal(bare.bytes_of(older), pattern(pages[0], 1)))) {
    t.fail(
        {.expected = fmt::format("frame {} is not given to anybody while its bytes, version 1 of "
                                 "page {}, are on the way to the file",
                                 older, pages[0]),
         .found = "stage() gave it, for another page",
         .cause = "the frame was not held: the next write of its page freed it, and the file would "
                  "get another page's bytes",
         .function = "Cache::take_dirty",
         .evidence = "before stage() was called until it had nothing left:\n" + before});
  }
  t.expect_trouble(locked_twice("written()"));
  bare.cache->written(batch, true);
  const FrameId now = bare.stage();
  if (!t.holds(now == older)) {
    t.fail(
        {.expected = fmt::format("frame {} can be had: it has been written, its page has a newer "
                                 "frame, and all others are taken",
                                 older),
         .found = now == no_frame ? "no_frame" : fmt::format("frame {}", now),
         .cause = "the hold of take_dirty() was the last one: written() gives it back, and "
                  "reclaims the frame if it has ended",
         .function = "Cache::written",
         .evidence = bare.picture()});
  }
}

void not_dropped_while_it_is_written(Test& t) {
  Bare& bare = Bare::kept(t, few_frames);
  auto pages = some_pages(t.random(), 2, 0, 400);
  std::ranges::sort(pages);
  (void)bare.write(pages[0], 1);
  (void)bare.write(pages[1], 1);
  const auto batch = take(t, bare, 1, {pages[0]}, "take_dirty(1) of two dirty pages",
                          "the first call begins at the front of the file");
  bare.cache->drop_all();
  const bool one = bare.cache->table().find(pages[0]) != no_frame;
  const bool two = bare.cache->table().find(pages[1]) != no_frame;
  if (!t.holds(one && !two)) {
    t.fail(
        {.expected = fmt::format("drop_all() drops page {} and not page {}, which is being written",
                                 pages[1], pages[0]),
         .found = fmt::format("page {} is {}, page {} is {}", pages[0], one ? "there" : "gone",
                              pages[1], two ? "there" : "gone"),
         .cause = "a page was dropped while it was being written: whoever reads it now gets what "
                  "the file has of it, which may be a part. take_dirty() marks it (moving_)",
         .function = "Cache::take_dirty",
         .evidence = bare.picture()});
  }
  bare.cache->written(batch, false);
  bare.cache->drop_all();
  check_all_can_be_had(t, bare, few_frames, "after a write that failed and a second drop_all()");
}

}  // namespace

void taken_is_held(Test& t) {
  held_while_it_is_written(t);
  not_dropped_while_it_is_written(t);
}

void in_order_and_on(Test& t) {
  const char* const starved =
      "a batch of some goes on where the last one ended. If every batch begins at the front, pages "
      "there that are written again and again keep the others from the file for ever";
  Bare& bare = Bare::kept(t, 128);
  const PageId first = 50 + t.random().below(200);
  for (const PageId page : some_pages(t.random(), 40, first, 40)) (void)bare.write(page, 1);
  const auto range = [&](PageId from, PageId count) {
    std::vector<PageId> pages;
    for (PageId i = 0; i < count; ++i) pages.push_back(first + from + i);
    return pages;
  };
  for (PageId turn = 0; turn < 3; ++turn) {
    const auto batch = take(
        t, bare, 10, range(10 * turn, 10),
        fmt::format("take_dirty(10), call {}, pages {} ... {} dirty", turn + 1, first, first + 39),
        starved);
    bare.cache->written(batch, true);
    for (PageId page = first; page < first + 10; ++page) (void)bare.write(page, 2 + turn);
  }
  auto both = range(0, 5);
  for (const PageId page : range(30, 10)) both.push_back(page);
  const auto turned = take(t, bare, 15, both, "take_dirty(15), which goes over the end of the file",
                           "behind the last dirty page the batch goes on with the first ones");
  bare.cache->written(turned, true);
  for (const PageId page : range(0, 5)) (void)bare.write(page, 9);
  const auto behind =
      take(t, bare, 5, range(5, 5), "take_dirty(5), after one that went over the end",
           "the last page of a batch that goes over the end is not its highest one: "
           "swept_ is set from the list before it is sorted");
  bare.cache->written(behind, true);
  const auto rest = take(t, bare, SIZE_MAX, range(0, 5), "take_dirty of all that is left",
                         "what has not been written is still dirty");
  bare.cache->written(rest, true);
  const auto none = take(t, bare, 10, {}, "take_dirty(10) when nothing is dirty",
                         "what has been written is clean");
  bare.cache->written(none, false);
  check_dirty(t, bare, 0, "after all of them were written", "written() takes the marks away");
}

namespace {

const char* const clean_is_said_of_frames =
    "the page was marked clean, and not the frame that was written: the newer version of it is "
    "dirty, and would be lost when the page goes";

void check_counted(Test& t, const Bare& bare, std::uint64_t pages, std::uint64_t writes) {
  const CacheCounters found = bare.cache->counters();
  if (t.holds(found.written_back == pages && found.writes == writes)) return;
  t.fail({.expected = fmt::format("{} pages written back, by {} transfers", pages, writes),
          .found = fmt::format("{} pages, {} transfers", found.written_back, found.writes),
          .cause =
              "each call of written() that is good counts its pages and one transfer; one that "
              "is not counts nothing",
          .function = "Cache::written"});
}

void written_again_meanwhile(Test& t) {
  Bare& bare = Bare::kept(t, few_frames);
  const PageId page = t.random().below(400);
  (void)bare.write(page, 1);
  const auto first = take(t, bare, SIZE_MAX, {page}, "the dirty pages", "the page was put dirty");
  const FrameId newer = bare.write(page, 2);
  bare.cache->written(first, true);
  check_dirty(t, bare, 1,
              fmt::format("page {}, whose version 2 came while version 1 was written", page),
              clean_is_said_of_frames);
  const auto second = take(t, bare, SIZE_MAX, {page}, "the dirty pages", clean_is_said_of_frames);
  const auto bytes = bare.bytes_of(second.front().frame);
  if (!t.holds(second.front().frame == newer && std::ranges::equal(bytes, pattern(page, 2)))) {
    t.fail({.expected =
                fmt::format("frame {}, with version 2 of page {}, is to be written", newer, page),
            .found = fmt::format("frame {}", second.front().frame),
            .cause = "of a page only the frame that was put last is dirty",
            .function = "Cache::put",
            .evidence = bare.picture()});
  }
  bare.cache->written(second, true);
  check_dirty(t, bare, 0, "after both were written", "what was written well is clean");
  check_counted(t, bare, 2, 2);
  check_all_can_be_had(t, bare, few_frames, "when nothing is dirty and nobody holds anything");
}

void not_written_after_all(Test& t) {
  Bare& bare = Bare::kept(t, few_frames);
  const PageId page = t.random().below(400);
  (void)bare.write(page, 1);
  const auto first = take(t, bare, SIZE_MAX, {page}, "the dirty pages", "the page was put dirty");
  bare.cache->written(first, false);
  check_dirty(t, bare, 1, "after a write that failed",
              "only a write that succeeded makes a page clean");
  check_counted(t, bare, 0, 0);
  const auto second = take(t, bare, SIZE_MAX, {page}, "the dirty pages, after a write that failed",
                           "only a write that succeeded makes a page clean");
  bare.cache->written(second, true);
  check_dirty(t, bare, 0, "after it was written", "what was written well is clean");
  check_all_can_be_had(t, bare, few_frames, "when nothing is dirty and nobody holds anything");
}

}  // namespace

void clean_is_of_a_frame(Test& t) {
  written_again_meanwhile(t);
  not_written_after_all(t);
}

}  // namespace pagealloc::labs
