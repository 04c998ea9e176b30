// Task 1: CLOCK, access by access, beside a CLOCK that was written without a thought for speed.
#include <fmt/format.h>

#include <list>
#include <optional>
#include <unordered_map>

#include "labs/04_cache/tests/patterns.h"
#include "labs/04_cache/tests/tests.h"
#include "pagealloc/cache/replacement.h"
#include "pagealloc/cache/tests/naive.h"
#include "pagealloc/cache/trace.h"
#include "sqlite_trace.h"

namespace pagealloc::labs {

using cache::FrameId;

namespace {

/// What came of one access: was it there, and if not, which page went.
struct Came {
  bool hit = false;
  std::optional<PageId> gone = std::nullopt;
  bool operator==(const Came&) const = default;

  std::string text() const {
    if (hit) return "a hit";
    return gone ? fmt::format("page {} goes", *gone) : "a miss, and nothing goes";
  }
};

/// A cache of nothing but the student's policy.
class Table {
 public:
  explicit Table(std::uint32_t frames) : clock_(cache::make_clock(frames)), page_of_(frames) {}

  Came access(PageId page) {
    if (const auto found = frame_of_.find(page); found != frame_of_.end()) {
      clock_->touch(found->second);
      return {.hit = true};
    }
    Came came;
    auto frame = static_cast<FrameId>(frame_of_.size());
    if (frame == page_of_.size()) {
      frame = clock_->evict([](FrameId) { return true; });
      if (frame >= page_of_.size()) return came;  // which the naive one would not have done
      came.gone = page_of_[frame];
      frame_of_.erase(page_of_[frame]);
    }
    clock_->admit(frame, page, false);
    frame_of_[page] = frame;
    page_of_[frame] = page;
    return came;
  }

 private:
  std::unique_ptr<cache::Replacement> clock_;
  std::unordered_map<PageId, FrameId> frame_of_;
  std::vector<PageId> page_of_;
};

Came came_of(cache::naive::Policy& policy, PageId page) {
  const bool hit = policy.access(page);
  return {.hit = hit, .gone = hit ? std::nullopt : policy.gone()};
}

/// What others do at the same accesses: if it is what the student's does, that is what it is.
class Fifo final : public cache::naive::Policy {
 public:
  using Policy::Policy;
  bool access(PageId page) override {
    gone_.reset();
    if (has(pages_, page)) return true;
    if (pages_.size() == capacity_) {
      gone_ = pages_.back();
      pages_.pop_back();
    }
    pages_.push_front(page);
    return false;
  }

 private:
  std::list<PageId> pages_;
};

/// A CLOCK that takes the first use for a second one.
class UsedAtOnce final : public cache::naive::Policy {
 public:
  using Policy::Policy;
  bool access(PageId page) override {
    if (clock_.access(page)) return true;
    gone_ = clock_.gone();
    (void)clock_.access(page);
    return false;
  }

 private:
  cache::naive::Clock clock_{capacity_};
};

struct Accesses {
  std::uint32_t frames;
  std::vector<PageId> pages = {};
  std::vector<Came> came = {};  // of the student's
};

bool does_the_same(cache::naive::Policy& policy, const Accesses& all) {
  for (std::size_t i = 0; i < all.came.size(); ++i) {
    if (came_of(policy, all.pages[i]) != all.came[i]) return false;
  }
  return true;
}

struct Blame {
  const char* cause;
  const char* function;
};

Blame blame_of(const Accesses& all) {
  Fifo fifo(all.frames);
  if (does_the_same(fifo, all)) {
    return {
        "the page that came first goes first, used since or not: touch() is not remembered, or "
        "evict() does not look",
        "Clock::touch"};
  }
  cache::naive::Lru lru(all.frames);
  if (does_the_same(lru, all)) {
    return {
        "the page that was used last stays longest: that is LRU. A use changes the mark of a "
        "frame; its place changes only when the hand passes",
        "Clock::touch"};
  }
  UsedAtOnce used(all.frames);
  if (does_the_same(used, all)) {
    return {
        "a page that has only come counts as used: admit() must leave it without a second chance",
        "Clock::admit"};
  }
  return {
      "at each step the hand takes the first frame, from where it stands, that was not used since "
      "it was last there; what was used loses its mark and is passed",
      "Clock::evict"};
}

std::string evidence_of(const Accesses& all, std::size_t last) {
  std::string text = "the last accesses:\n";
  for (std::size_t i = last > 10 ? last - 10 : 0; i <= last; ++i) {
    text += fmt::format("  {:>5}  page {:>3}: {}\n", i, all.pages[i], all.came[i].text());
  }
  return text;
}

void check_pattern(Test& t, const AccessPattern& pattern, std::uint32_t frames) {
  constexpr std::size_t accesses = 6000;
  Table table(frames);
  cache::naive::Clock naive(frames);
  Accesses all{.frames = frames};
  std::optional<std::size_t> wrong;
  Came expected;
  for (std::size_t access = 0; access < accesses; ++access) {
    all.pages.push_back(pattern.page(t.random(), access));
    all.came.push_back(table.access(all.pages.back()));
    if (wrong) continue;  // what it is is seen by the rest
    expected = came_of(naive, all.pages.back());
    if (!t.holds(all.came.back() == expected)) wrong = access;
  }
  if (!wrong) return;
  const Blame blame = blame_of(all);
  t.fail({.expected = fmt::format("access {} of page {} ({}, {} frames): {}", *wrong,
                                  all.pages[*wrong], pattern.name, frames, expected.text()),
          .found = all.came[*wrong].text(),
          .cause = blame.cause,
          .function = blame.function,
          .evidence = evidence_of(all, *wrong)});
}

}  // namespace

void clock_access_by_access(Test& t) {
  for (const AccessPattern& pattern : access_patterns) {
    for (const std::uint32_t frames : {20U, 50U, 100U}) check_pattern(t, pattern, frames);
  }
  struct Recorded {
    std::uint32_t frames;
    std::uint64_t hits;
  };
  const cache::Trace trace(std::begin(sqlite_trace), std::end(sqlite_trace));
  for (const Recorded& each : {Recorded{10, 1361}, Recorded{109, 5190}, Recorded{878, 10'172}}) {
    const std::uint64_t hits = cache::hits_of(trace, Eviction::clock, each.frames);
    if (t.holds(hits == each.hits)) continue;
    t.fail({.expected = fmt::format("{} hits in {} accesses that SQLite made, {} frames", each.hits,
                                    trace.size(), each.frames),
            .found = fmt::format("{} hits", hits),
            .cause = "the policy is CLOCK on made-up accesses and something else on recorded ones; "
                     "it may depend on the number of frames",
            .function = "Clock::evict"});
  }
}

}  // namespace pagealloc::labs
