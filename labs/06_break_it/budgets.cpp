// How soon is each planted protocol found, and do those that are right survive? Prints, for each
// family on each of its ways, the seeds that it took: the mean, the most, and the processor time.
// What the tests allow (Family::seeds_max) comes from here.
//
// usage: lab_06_budgets STARTS         draws of each variant
//        lab_06_budgets right STATES   distinct media for each right protocol on each way
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>

#include "harness/crash/canaries.h"
#include "labs/06_break_it/tests/planted.h"

namespace {

using namespace pagealloc;
using namespace pagealloc::crash;

double processor_s() {
  timespec now{};
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) < 0) return 0;
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

struct Sums {
  std::uint64_t runs = 0;
  std::uint64_t seeds = 0;
  std::uint64_t most = 0;
  std::uint64_t missed = 0;
  std::set<char> oracles = {};
  double cpu_s = 0;
};

void measure(const Planted& planted, std::uint64_t starts, Sums& sums) {
  const StoreKind kind = protocol(0);
  const Experiment experiment{
      .kind = &kind, .options = planted.way->options, .weather = planted.family->weather};
  constexpr std::uint64_t seeds_max = 2000;
  for (std::uint64_t start = 0; start < starts; ++start) {
    set_plan(planted.plan);
    const double begun_s = processor_s();
    Tally tally;
    std::optional<Failure> failure;
    const std::uint64_t first = Random(start * 7919 + 1).below(1U << 30);
    while (!failure && tally.seeds < seeds_max) {
      failure = run_seed(experiment, first + tally.seeds, tally);
    }
    sums.cpu_s += processor_s() - begun_s;
    ++sums.runs;
    sums.seeds += tally.seeds;
    sums.most = std::max(sums.most, tally.seeds);
    if (failure) sums.oracles.insert(failure->oracle);
    sums.missed += failure ? 0U : 1U;
  }
}

void measure_all(std::uint64_t starts) {
  for (const Family& family : families()) {
    std::string_view way;
    Sums sums;
    const auto print = [&] {
      if (sums.runs == 0) return;
      fmt::print(
          "{:<26} {:<15} mean {:7.2f}  most {:4}  of {:4} runs, missed {}, {:6.3f} s each ({})\n",
          family.canary.empty() ? "live-meta-rewritten" : family.canary, way,
          static_cast<double>(sums.seeds) / static_cast<double>(sums.runs), sums.most, sums.runs,
          sums.missed, sums.cpu_s / static_cast<double>(sums.runs),
          std::string(sums.oracles.begin(), sums.oracles.end()));
      std::fflush(stdout);
    };
    for (const Planted& each : variants_of(family)) {
      if (each.way->name != way) {
        print();
        sums = {};
        way = each.way->name;
      }
      measure(each, starts, sums);
    }
    print();
  }
}

int survive_all(std::uint64_t states) {
  int condemned = 0;
  for (const Step step : {Step::as_it_is, Step::one_page_at_a_time, Step::each_sync_twice,
                          Step::written_through, Step::three_runs}) {
    for (const Way& way : ways()) {
      if (step == Step::written_through && way.name != "pread" && way.name != "direct" &&
          way.name != "uring") {
        continue;
      }
      set_plan({.step = step});
      const StoreKind kind = protocol(0);
      const Experiment experiment{.kind = &kind, .options = way.options};
      Tally tally;
      std::optional<Failure> failure;
      while (!failure && tally.distinct.size() < states) {
        failure = run_seed(experiment, tally.seeds + 1, tally);
      }
      fmt::print("right {} on {}: {} distinct media, {} seeds\n", static_cast<int>(step), way.name,
                 tally.distinct.size(), tally.seeds);
      if (!failure) continue;
      ++condemned;
      fmt::print("{}", text_of(shortest(experiment, *failure), kind, way.name));
    }
  }
  return condemned;
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 3) return survive_all(std::strtoull(arguments[2], nullptr, 10));
  if (count != 2) return 2;
  measure_all(std::strtoull(arguments[1], nullptr, 10));
  return 0;
}
