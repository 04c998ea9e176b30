// What a lab's tests are written with. Each test runs in a process of its own, which ends at the
// first thing that is wrong: what comes after a wrong answer explains nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "pagealloc/random.h"

namespace pagealloc::labs {

/// What a student reads. Whole sentences; `expected` and `found` speak of the same thing.
struct Failure {
  std::string expected;
  std::string found;
  std::string cause;     ///< the likely one, in words of the handout
  std::string function;  ///< to look at, as the student's file spells it: "SharedFile::admit"
  std::string evidence =
      {};  ///< calls, a picture of the page, a timeline; as many lines as it takes
};

/// One run of one test.
class Test {
 public:
  explicit Test(std::uint64_t seed) : seed_(seed), random_(seed) {}

  std::uint64_t seed() const { return seed_; }
  /// Page numbers, versions and orders of this run: equal for equal seeds.
  Random& random() { return random_; }
  /// For what the student's code can look into: the run's own seed may be one that nobody is told.
  std::uint64_t other_seed() { return 1 + random_.below(1U << 20); }

  /// Counts a check and says whether it holds. The number of checks of a test that passes must not
  /// depend on the seed: who grades compares it with the reference's.
  [[nodiscard]] bool holds(bool good) {
    ++checks_;
    return good;
  }
  /// Reports and ends the process.
  [[noreturn]] void fail(const Failure& failure);
  /// If the process ends by a signal or a limit from now on, this is the likely cause, in place of
  /// what is usually said then. Empty: no longer.
  void expect_trouble(const std::string& likely_cause);

  std::uint64_t checks() const { return checks_; }

 private:
  std::uint64_t seed_;
  Random random_;
  std::uint64_t checks_ = 0;
};

/// A test by its number in the lab's table (lab.json), where its name and points are.
struct Exercise {
  const char* id;
  void (*run)(Test&);
};

/// All tests of this lab's program; each lab defines it.
std::span<const Exercise> exercises();

}  // namespace pagealloc::labs
