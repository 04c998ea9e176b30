// The correct store survives every power cut on every way to open a file; each planted mistake is
// caught.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "harness/crash/canaries.h"
#include "harness/crash/driver.h"
#include "harness/crash/ways.h"

namespace pagealloc::crash {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t states_wanted = 2'000;  // a sanitizer looks for other mistakes
#else
constexpr std::uint64_t states_wanted = 100'000;
#endif
constexpr std::uint64_t canary_seeds_max = 200;

class OnEveryWay : public ::testing::TestWithParam<Way> {};

TEST_P(OnEveryWay, the_two_page_protocol_survives) {
  const Experiment experiment{.kind = &correct(), .options = GetParam().options};
  Tally tally;
  std::uint64_t seed = 0;
  while (tally.distinct.size() < states_wanted) {
    const auto failure = run_seed(experiment, ++seed, tally);
    ASSERT_FALSE(failure) << text_of(*failure, correct(), GetParam().name);
    ASSERT_LT(seed, states_wanted) << "too few states are distinct";
  }
  fmt::print("{}: {} distinct states of {} power cuts, {} seeds\n", GetParam().name,
             tally.distinct.size(), tally.cuts, tally.seeds);
}

/// Mistakes that are none there: what executes in submit() has been done when the sync begins, and
/// what passes the page cache by has no page that a failed write-back marks clean.
bool harmless(const StoreKind& kind, const Way& way) {
  const Options& options = way.options;
  const bool executes_in_submit = options.impl != "uring" && options.threads == 0;
  const bool no_page_cache =
      options.impl == "direct" || (options.impl == "uring" && options.direct != Direct::off);
  if (kind.name == "sync-beside-write") return executes_in_submit;
  return kind.name == "retried-sync-trusted" && no_page_cache;
}

TEST_P(OnEveryWay, every_mistake_is_caught) {
  for (const StoreKind& kind : canaries()) {
    const Experiment experiment{.kind = &kind, .options = GetParam().options};
    Tally tally;
    std::uint64_t seed = 0;
    std::optional<Failure> failure;
    while (!failure && seed < canary_seeds_max) failure = run_seed(experiment, ++seed, tally);
    if (harmless(kind, GetParam())) {
      EXPECT_FALSE(failure) << text_of(*failure, kind, GetParam().name);
      continue;
    }
    ASSERT_TRUE(failure) << kind.name << " survived " << seed << " seeds: " << kind.mistake;
    EXPECT_NE(failure->timeline.find("the power goes"), std::string::npos);
    fmt::print("{}: {} caught by seed {}, oracle ({})\n", GetParam().name, kind.name, seed,
               failure->oracle);
  }
}

INSTANTIATE_TEST_SUITE_P(Simulated, OnEveryWay, ::testing::ValuesIn(ways()),
                         [](const auto& way) { return std::string(way.param.name); });

}  // namespace
}  // namespace pagealloc::crash
