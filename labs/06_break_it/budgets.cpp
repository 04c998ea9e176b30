// How soon is each planted protocol found, and do those that are right survive? Prints, for each
// family on each of its ways, the seeds that it took: the mean, the most, and the processor time.
// What the tests allow (Family::seeds_max) comes from here.
//
// usage: lab_06_budgets STARTS [FIRST]   that many runs of each family on each way, its variants in
//                                        turn; from the family of that number on
//        lab_06_budgets draw SEED        what tests 7.2 to 7.4 draw with this seed
//        lab_06_budgets right STATES     distinct media for each right protocol on each way
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <set>
#include <string>
#include <vector>

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

void measure(const Planted& planted, std::uint64_t start, Sums& sums) {
  const StoreKind kind = protocol(0);
  const Experiment experiment{
      .kind = &kind, .options = planted.way->options, .weather = planted.family->weather};
  constexpr std::uint64_t seeds_max = 2000;
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

void print(const Family& family, std::string_view way, const Sums& sums) {
  const auto runs = static_cast<double>(sums.runs);
  fmt::print(
      "{:>2} {:<15} mean {:6.2f}  most {:4}  allowed {:4}  {:4} runs, missed {}  {:.3f} s ({})\n",
      static_cast<int>(family.step), way, static_cast<double>(sums.seeds) / runs, sums.most,
      family.seeds_max, sums.runs, sums.missed, sums.cpu_s / runs,
      std::string(sums.oracles.begin(), sums.oracles.end()));
  std::fflush(stdout);
}

void measure_all(std::uint64_t starts, std::size_t first) {
  for (const Family& family : families()) {
    if (static_cast<std::size_t>(family.step) < first) continue;
    const auto all = variants_of(family);
    for (const Way& way : ways()) {
      std::vector<Planted> here;
      std::ranges::copy_if(all, std::back_inserter(here),
                           [&](const Planted& each) { return each.way->name == way.name; });
      Sums sums;
      for (std::uint64_t i = 0; i < starts && !here.empty(); ++i) {
        measure(here[i % here.size()], i, sums);
      }
      if (sums.runs > 0) print(family, way.name, sums);
    }
  }
}

int survive_all(std::uint64_t states) {
  int condemned = 0;
  for (const Right& right : rights()) {
    for (const Way* way : ways_in(right.ways)) {
      set_plan({.step = right.step});
      const StoreKind kind = protocol(0);
      const Experiment experiment{.kind = &kind, .options = way->options};
      Tally tally;
      std::optional<Failure> failure;
      while (!failure && tally.distinct.size() < states) {
        failure = run_seed(experiment, tally.seeds + 1, tally);
      }
      fmt::print("{} on {}: {} distinct media, {} seeds\n", right.what, way->name,
                 tally.distinct.size(), tally.seeds);
      std::fflush(stdout);
      if (!failure) continue;
      ++condemned;
      fmt::print("{}", text_of(shortest(experiment, *failure), kind, way->name));
    }
  }
  return condemned;
}

int draw(std::uint64_t seed) {
  constexpr std::size_t drawn = 12;
  for (const Planted& each : planted(seed, drawn)) {
    fmt::print("{:<15} {} {} (variant {})\n", each.way->name, each.family->mistake,
               text_of(each.plan), each.plan.variant);
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const auto number = [&](int i) { return std::strtoull(arguments[i], nullptr, 10); };
  if (count == 3 && std::string_view(arguments[1]) == "right") return survive_all(number(2));
  if (count == 3 && std::string_view(arguments[1]) == "draw") return draw(number(2));
  if (count < 2) return 2;
  measure_all(number(1), count > 2 ? number(2) : 0);
  return 0;
}
