// The cache hits and misses as its policy says: exactly, access by access.
#include <cmath>

#include "pagealloc/cache/replacement.h"
#include "pagealloc/cache/tests/fixture.h"
#include "pagealloc/cache/tests/naive.h"
#include "pagealloc/os/sim/random.h"

namespace pagealloc::cache {
namespace {

constexpr std::uint64_t pages = 400;
constexpr std::size_t accesses = 6000;

struct Pattern {
  const char* name;
  PageId (*page)(os::sim::Random& random, std::size_t access);
};

/// About as often as 1/rank.
PageId skewed(os::sim::Random& random, std::size_t) {
  const double uniform = static_cast<double>(random.below(1U << 20)) / (1U << 20);
  return std::min(pages - 1,
                  static_cast<PageId>(std::pow(static_cast<double>(pages), uniform)) - 1);
}

constexpr Pattern patterns[] = {
    {"uniform", [](os::sim::Random& random, std::size_t) { return random.below(pages); }},
    {"skewed", skewed},
    {"loop", [](os::sim::Random&, std::size_t access) { return PageId{access % 90}; }},
    {"hot_set_and_scan",
     [](os::sim::Random& random, std::size_t access) {
       return access % 3 == 0 ? PageId{access / 3 % pages} : random.below(40);
     }},
};

struct Named {
  Eviction eviction;
  const char* name;
};
constexpr Named policies[] = {{Eviction::clock, "clock"},
                              {Eviction::lru, "lru"},
                              {Eviction::s3_fifo, "s3_fifo"},
                              {Eviction::two_q, "two_q"}};

class Policy : public Cached {};

TEST_F(Policy, hits_what_its_paper_says) {
  for (const char* impl : {"direct", "uring"}) {
    for (const Named& policy : policies) {
      for (const Pattern& pattern : patterns) {
        for (const std::uint32_t frames : {20U, 50U, 100U}) {
          SCOPED_TRACE(testing::Message() << impl << ", " << policy.name << ", " << pattern.name
                                          << ", " << frames << " frames");
          Options options = options_of(impl, frames);
          options.cache.eviction = policy.eviction;
          options.cache.readahead_bytes = 0;
          options.sync_at_open = false;
          open(options, pages);
          const auto naive = naive::make(policy.eviction, frames);
          os::sim::Random random(frames);
          std::uint64_t misses = 0;
          for (std::size_t access = 0; access < accesses; ++access) {
            const PageId page = pattern.page(random, access);
            const std::uint64_t before = misses;
            misses += naive->access(page) ? 0U : 1U;
            ASSERT_TRUE(read_page(*file_, page));
            ASSERT_EQ(counters().misses, misses)
                << "access " << access << " of page " << page << " should have been a "
                << (misses == before ? "hit" : "miss");
          }
          EXPECT_EQ(counters().hits + misses, accesses);
        }
      }
    }
  }
}

/// A page that is written anew keeps its standing, whichever frame it is in.
TEST_F(Policy, keeps_what_is_written_again_and_again) {
  for (const Named& policy : policies) {
    SCOPED_TRACE(policy.name);
    Options options = options_of("direct", 40);
    options.cache.eviction = policy.eviction;
    options.cache.readahead_bytes = 0;
    open(options, pages);
    os::sim::Random random(1);
    for (std::uint64_t version = 1; version <= 500; ++version) {
      ASSERT_TRUE(write_page(*file_, 7, contents(7, version)));
      ASSERT_TRUE(read_page(*file_, 7));
      ASSERT_TRUE(read_page(*file_, 8 + random.below(pages - 8)));
    }
    const std::uint64_t misses = counters().misses;
    expect_page(*file_, 7, 500);
    EXPECT_EQ(counters().misses, misses) << "the page that is used most was given up";
  }
}

/// Once through the whole file, while some pages are read again and again.
TEST_F(Policy, a_scan_does_not_drive_out_what_is_used_often) {
  for (const Named& policy : policies) {
    Options options = options_of("direct", 100);
    options.cache.eviction = policy.eviction;
    options.cache.readahead_bytes = 0;
    open(options, pages);
    os::sim::Random random(1);
    for (int i = 0; i < 5000; ++i) {  // until each policy knows which they are
      ASSERT_TRUE(read_page(*file_, random.one_in(5) ? random.below(pages) : random.below(60)));
    }
    std::uint64_t hot = 0;
    for (PageId scanned = 60; scanned < pages; ++scanned) {
      ASSERT_TRUE(read_page(*file_, scanned));
      const std::uint64_t misses = counters().misses;
      ASSERT_TRUE(read_page(*file_, random.below(60)));
      hot += counters().misses - misses;
    }
    const bool resists = policy.eviction == Eviction::s3_fifo || policy.eviction == Eviction::two_q;
    if (!resists) {  // or it would be no test
      EXPECT_GT(hot * 20, pages - 60) << policy.name << " is not disturbed by this scan";
      continue;
    }
    EXPECT_LE(hot * 20, pages - 60) << policy.name << " let the scan drive out " << hot;
  }
}

/// Frames that are lent or dirty may not go. Among the others there is one, and it is found.
TEST_F(Policy, finds_a_frame_whichever_may_not_go) {
  constexpr std::uint32_t frames = 24;
  for (const Named& policy : policies) {
    SCOPED_TRACE(policy.name);
    os::sim::Random random(1);
    const auto replacement = make_replacement(policy.eviction, frames);
    std::vector<PageId> page_of(frames);
    PageId next = 0;
    const auto admit = [&](FrameId frame) {
      const PageId page = random.one_in(3) && next > 40 ? next - 40 + random.below(40) : next;
      const bool here = std::ranges::find(page_of, page) != page_of.end();
      page_of[frame] = here ? next : page;
      replacement->admit(frame, page_of[frame], replacement->remembers(page_of[frame]));
      ++next;
    };
    for (FrameId frame = 0; frame < frames; ++frame) admit(frame);
    for (int turn = 0; turn < 20000; ++turn) {
      for (std::uint64_t uses = random.below(30); uses > 0; --uses) {
        replacement->touch(static_cast<FrameId>(random.below(frames)));
      }
      std::vector<bool> may_go(frames);
      std::uint64_t some = 0;
      for (FrameId frame = 0; frame < frames; ++frame) {
        may_go[frame] = random.one_in(1U + static_cast<unsigned>(turn) % 24);
        some += may_go[frame] ? 1U : 0U;
      }
      const FrameId gone = replacement->evict([&](FrameId frame) { return may_go[frame]; });
      ASSERT_EQ(gone != no_frame, some > 0) << "turn " << turn << ", " << some << " may go";
      if (gone == no_frame) continue;
      ASSERT_TRUE(may_go[gone]);
      admit(gone);
    }
  }
}

}  // namespace
}  // namespace pagealloc::cache
