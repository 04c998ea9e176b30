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

}  // namespace

void write_counts_as_use(Test& t) {
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
