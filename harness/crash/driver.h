// Runs a store on the simulated kernel, takes the power away everywhere, and judges what is left.
//
// The oracles are numbered as in docs/durability.md:
//   (a) acknowledged <= recovered <= submitted      (e) the same when recovery is cut off, twice
//   (b) nothing invented: check()                   (f) same seed, same trace: tests/sim_test.cpp
//   (c) the power goes at every call                (g) damage is detected, never served
//   (d) every prefix of the last write              (h) planted mistakes are caught: canaries.h
//                                                   (i) what a reader was shown stays
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>

#include "harness/crash/store.h"
#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::crash {

struct Experiment {
  const StoreKind* kind;
  Options options;  ///< how the page file is opened
  std::uint64_t commits = 6;
  unsigned cuts_per_point = 2;
  os::sim::Tearing tearing = os::sim::Tearing::sector;
  unsigned recoveries_cut = 2;  ///< how deep: a recovery that is cut off, and the one after it
};

/// A state of the medium that the store did not come back from as it should.
struct Failure {
  std::uint64_t seed;
  char oracle;  ///< 'a' ...
  std::uint64_t acknowledged;
  std::uint64_t submitted;
  std::string found;     ///< "recovered 3", or the error's line
  std::string timeline;  ///< what was asked of the kernel until the power went
};

/// Counts over many seeds.
struct Tally {
  std::uint64_t seeds = 0;
  std::uint64_t cuts = 0;
  std::unordered_set<std::uint64_t> distinct;  ///< hashes of the media that were judged
  os::sim::FaultLog faults;
};

/// What a person needs: what was expected and found, the history, and how to see it again.
std::string text_of(const Failure& failure, const StoreKind& kind, std::string_view way);

/// One seed: a whole run of commits, cut at every point. The first failure, or nothing.
std::optional<Failure> run_seed(const Experiment& experiment, std::uint64_t seed, Tally& tally);

}  // namespace pagealloc::crash
