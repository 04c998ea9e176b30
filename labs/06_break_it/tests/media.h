// Media with a store on them, and runs to judge them: for the tests of tasks 4 and 5.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/crash/run.h"
#include "labs/06_break_it/tests/planted.h"
#include "labs/06_break_it/tests/scripted.h"
#include "labs/grader/grader.h"

namespace pagealloc::labs {

/// A machine on which a store without a mistake has made so many commits, all durable.
std::unique_ptr<os::sim::SimKernel> machine_with(std::uint64_t seed, std::uint64_t commits);
/// Its medium.
os::sim::Image medium_with(std::uint64_t seed, std::uint64_t commits);
/// One byte of the first page of this commit's data is another one.
void damage_data_of(os::sim::Image& image, std::uint64_t commit);

/// A run of a store on pread, of which single members are called.
struct Judging {
  Judging(const crash::StoreKind& store, std::uint64_t seed, crash::Weather weather);
  /// What judge() says of this medium. Its hash says that the machine is not to run on.
  std::optional<crash::Failure> judge(os::sim::Image image, crash::Bounds bounds,
                                      unsigned depth = 0, char oracle = 0);

  crash::StoreKind kind;
  crash::Experiment experiment;
  crash::Tally tally;
  crash::Run run;
  std::vector<crash::Left> later;
};

/// From now on the kernel calls cut() itself: what is likely if the test does not end.
void expect_lock(Test& t);
/// A seed on which a bad medium takes no commit without a trace.
std::uint64_t seed_without_silent_losses(Test& t);
/// "nothing is wrong", or the oracle, the bounds and what was found.
std::string text_of(const std::optional<crash::Failure>& failure);

}  // namespace pagealloc::labs
