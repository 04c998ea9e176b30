// The correct store survives every power cut on every way to open a file; each planted mistake is
// caught, by the oracle that should, within its budget of seeds.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "harness/crash/canaries.h"
#include "harness/crash/driver.h"
#include "harness/crash/flakey.h"
#include "pagealloc/ways.h"

namespace pagealloc::crash {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// A sanitizer looks for other mistakes; one for threads costs most, and there is one thread.
#if defined(__SANITIZE_THREAD__)
constexpr std::uint64_t states_wanted = 500;
constexpr std::uint64_t seeds_wanted = 5;
#else
constexpr std::uint64_t states_wanted = 2'000;
constexpr std::uint64_t seeds_wanted = 20;
#endif
constexpr std::uint64_t canary_seeds_max = 20;  // those that take more are for the other builds
constexpr bool counts_faults = false;           // so few seeds need not have seen them all
#else
constexpr std::uint64_t states_wanted = 100'000;
constexpr std::uint64_t seeds_wanted = 100;  // of every weather some
constexpr std::uint64_t canary_seeds_max = 500;
constexpr bool counts_faults = true;
#endif

class OnEveryWay : public ::testing::TestWithParam<Way> {};

/// A fault that never happened tested nothing. Those that cannot happen on this way are left out.
void expect_faults(const Tally& tally, const Options& options) {
  using os::sim::Fault;
  const bool past_cache =
      options.impl == "direct" || (options.impl == "uring" && options.direct != Direct::off);
  for (std::size_t i = 0; i < os::sim::fault_kinds; ++i) {
    const auto fault = static_cast<Fault>(i);
    // A flush that lies makes every store fail: no program can help it.
    if (fault == Fault::lying_flush) continue;  // tested below
    if (fault == (past_cache ? Fault::sync_error : Fault::write_error)) continue;
    // A map is read without a call, and its blocks without the device: the machine has no SIGBUS
    // for one that cannot be read.
    if (options.impl == "mmap" && fault == Fault::unreadable) continue;
    // What is mapped is read and written without a call.
    const bool no_calls = options.write_path == WritePath::map;
    if (no_calls && fault == Fault::short_transfer) continue;
    if (options.impl == "mmap" && fault == Fault::read_error) continue;
    EXPECT_GT(tally.faults[fault], 0U) << os::sim::fault_names[i] << " never happened";
  }
  EXPECT_GT(tally.torn_words, 0U);
  EXPECT_GT(tally.recoveries_cut, 0U);
  EXPECT_GT(tally.deaths, 0U);
  EXPECT_GT(tally.damaged, 0U);
}

void survives(const StoreKind& kind, const Way& way, std::uint64_t states, std::uint64_t seeds,
              Tally& tally, std::uint64_t commits = Experiment{}.commits) {
  const Experiment experiment{.kind = &kind, .options = way.options, .commits = commits};
  while (tally.distinct.size() < states || tally.seeds < seeds) {
    const auto failure = run_seed(experiment, tally.seeds + 1, tally);
    ASSERT_FALSE(failure) << text_of(shortest(experiment, *failure), kind, way.name);
    ASSERT_LT(tally.seeds, states_wanted) << "too few states are distinct";
  }
  fmt::print("{} on {}: {} distinct states of {} power cuts, {} seeds\n", kind.name, way.name,
             tally.distinct.size(), tally.cuts, tally.seeds);
}

TEST_P(OnEveryWay, the_two_page_protocol_survives) {
  Tally tally;
  survives(correct(), GetParam(), states_wanted, seeds_wanted, tally);
  if (counts_faults) expect_faults(tally, GetParam().options);
}

/// What handles share above all is a cache.
TEST_P(OnEveryWay, the_two_page_protocol_survives_on_two_handles) {
  Tally tally;
  const bool cached = GetParam().options.cache.bytes != 0;
  survives(correct_on_two_handles(), GetParam(), cached ? states_wanted : states_wanted / 10,
           seeds_wanted / 5, tally);
}

#if !defined(__SANITIZE_THREAD__)  // a seed on a ring is 80,000 cuts, and there is one thread
/// A commit of it is some thirty writes, so a seed is worth many states; in the fourth it has given
/// pages back.
TEST_P(OnEveryWay, an_allocator_survives) {
#if defined(__SANITIZE_ADDRESS__)
  if (GetParam().name == "uring_buffered" || GetParam().name == "uring_cached") {
    GTEST_SKIP() << "80,000 cuts each of code that a sanitizer sees on the other ways";
  }
#endif
  Tally tally;
  survives(correct_allocator(), GetParam(), states_wanted / 20, 1, tally, counts_faults ? 4 : 1);
}
#endif

/// Written through, a write is durable when it is reaped, and torn until then.
TEST(WriteThrough, survives_and_its_torn_pages_are_seen) {
  for (const Way& way : ways()) {
    if (way.name != "pread" && way.name != "direct" && way.name != "uring") continue;
    Options options = way.options;
    options.write_through = true;
    Tally tally;
    while (tally.distinct.size() < states_wanted / 10) {
      const Experiment experiment{.kind = &correct(), .options = options};
      const auto failure = run_seed(experiment, tally.seeds + 1, tally);
      ASSERT_FALSE(failure) << text_of(shortest(experiment, *failure), correct(), way.name);
    }
    const auto torn = std::ranges::find(canaries(), "meta-without-checksum", &StoreKind::name);
    const Experiment experiment{.kind = &*torn, .options = options};
    std::optional<Failure> failure;
    Tally again;
    while (!failure && again.seeds < torn->seeds_max) {
      failure = run_seed(experiment, again.seeds + 1, again);
    }
    EXPECT_TRUE(failure) << way.name << ": a torn page that was written through was never seen";
  }
}

/// The meta page that was being written is torn, and the other one has gone bad: the data tells
/// that there was a commit, and an empty store would be a lie.
TEST(Damage, of_both_meta_pages_is_not_taken_for_an_empty_store) {
  for (const std::uint64_t commits : {1U, 2U, 3U}) {
    os::sim::SimKernel kernel(os::sim::Machine{.seed = commits});
    Options options;
    options.kernel = &kernel;
    {
      const auto store = correct().make();
      ASSERT_TRUE(store->open("/store.pa", options));
      for (std::uint64_t number = 1; number <= commits; ++number) {
        ASSERT_TRUE(store->commit(number));
      }
    }
    const int fd = kernel.open("/store.pa", O_RDWR, 0);
    std::vector<std::byte> noise(2 * options.page_bytes, std::byte{0x5A});
    const iovec both{noise.data(), noise.size()};
    ASSERT_EQ(kernel.pwritev(fd, &both, 1, 0), static_cast<std::int64_t>(noise.size()));
    ASSERT_EQ(kernel.close(fd), 0);
    const auto store = correct().make();
    const auto opened = store->open("/store.pa", options);
    // Of the first commit nobody can tell whether it was finished.
    EXPECT_EQ(opened.has_value(), commits == 1) << commits << " commits";
    if (opened) {
      EXPECT_EQ(store->last(), 0U);
    } else {
      EXPECT_NE(opened.error().text().find("no meta page knows of commit"), std::string::npos)
          << opened.error().text();
    }
  }
}

/// No program survives a disk that lies, and the driver must show it.
TEST(Lying, flushes_lose_what_the_correct_store_has_acknowledged) {
  for (const Way& way : ways()) {
    const Experiment experiment{
        .kind = &correct(), .options = way.options, .weather = Weather::lying};
    std::optional<Failure> failure;
    Tally tally;
    while (!failure && tally.seeds < 10) failure = run_seed(experiment, tally.seeds + 1, tally);
    EXPECT_TRUE(failure) << way.name;
  }
}

/// On a device with two tables the correct store commits ten times, the last three of them while
/// writes are dropped. What is left then is found by another machine.
struct Dropped {
  std::vector<DeviceNote> notes;
  std::uint64_t found = 0;
};

Dropped drop_writes(std::uint64_t seed, bool for_good) {
  using enum DeviceNote::What;
  Dropped run;
  os::sim::SimKernel kernel({.seed = seed});
  Options options;
  options.kernel = &kernel;
  const auto store = correct().make();
  EXPECT_TRUE(store->open("/store.pa", options));
  for (std::uint64_t number = 1; number <= 10; ++number) {
    run.notes.push_back({submitted, number});
    if (number == 8) {
      os::sim::FaultRates drops;
      drops[os::sim::Fault::lost_write] = 1;
      kernel.set_faults(drops);
      run.notes.push_back({drops_begin});
    }
    EXPECT_TRUE(store->commit(number));
    run.notes.push_back({acknowledged, number});
  }
  if (!for_good) run.notes.push_back({drops_end});
  run.notes.push_back({killed});
  run.notes.push_back({unmounted});
  os::sim::SimKernel another({.seed = seed, .image = kernel.cut(os::sim::Tearing::none)});
  options.kernel = &another;
  const auto again = correct().make();
  EXPECT_TRUE(again->open("/store.pa", options));
  run.found = again->last();
  return run;
}

TEST(Flakey, drops_that_end_condemn_the_correct_store_and_drops_for_good_do_not) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Dropped loop = drop_writes(seed, false);
    EXPECT_LT(loop.found, 10U) << "ten were acknowledged, so the loop says that it lost some";
    EXPECT_FALSE(bounds_of(loop.notes)) << "and that says nothing";
    const Dropped cut = drop_writes(seed, true);
    const auto bounds = bounds_of(cut.notes);
    ASSERT_TRUE(bounds);
    EXPECT_EQ(bounds->acknowledged, 7U);
    EXPECT_GE(cut.found, bounds->acknowledged);
    EXPECT_LE(cut.found, bounds->submitted);
  }
}

/// A mistake that is none there: what executes in submit() has been done when the sync begins.
bool harmless(const StoreKind& kind, const Options& options) {
  const bool executes_in_submit =
      options.cache.bytes != 0 || (options.impl != "uring" && options.threads == 0);
  const bool moves_by_calls = options.write_path != WritePath::map;
  if (kind.name == "short-taken-for-whole") return !moves_by_calls;
  return kind.name == "sync-beside-write" && executes_in_submit;
}

/// One that cannot be seen there: a cache writes neighbours together, so two of them do not change
/// places.
bool invisible(const StoreKind& kind, const Options& options) {
  return kind.name == "page-number-missing" && options.cache.bytes != 0;
}

TEST_P(OnEveryWay, every_mistake_is_caught) {
  for (const StoreKind& kind : canaries()) {
    if (kind.seeds_max > canary_seeds_max || invisible(kind, GetParam().options)) continue;
    const Experiment experiment{.kind = &kind, .options = GetParam().options};
    Tally tally;
    std::optional<Failure> failure;
    while (!failure && tally.seeds < kind.seeds_max) {
      failure = run_seed(experiment, tally.seeds + 1, tally);
    }
    if (harmless(kind, GetParam().options)) {
      EXPECT_FALSE(failure) << text_of(*failure, kind, GetParam().name);
      continue;
    }
    ASSERT_TRUE(failure) << kind.name << " survived " << tally.seeds << " seeds: " << kind.mistake;
    EXPECT_NE(kind.caught_by.find(failure->oracle), std::string_view::npos)
        << kind.name << " was caught by oracle (" << failure->oracle << ")";
    const Failure least = shortest(experiment, *failure);
    const std::string text = text_of(least, kind, GetParam().name);
    EXPECT_NE(text.find(kind.mistake), std::string::npos) << text;
    EXPECT_NE(text.find("==== the "), std::string::npos) << "what ended it is missing: " << text;
    EXPECT_NE(text.find("  again     ./lab crash --store "), std::string::npos) << text;
    EXPECT_EQ(text.find("no line shows what the bad medium") != std::string::npos,
              least.oracle == 'g')
        << text;
    EXPECT_EQ(least.oracle, failure->oracle) << text;
    fmt::print("{}: {} caught by seed {}, oracle ({}); shortest: {} commits\n", GetParam().name,
               kind.name, tally.seeds, failure->oracle, least.commits);
  }
}

INSTANTIATE_TEST_SUITE_P(Simulated, OnEveryWay, ::testing::ValuesIn(ways()),
                         [](const auto& way) { return std::string(way.param.name); });

}  // namespace
}  // namespace pagealloc::crash
