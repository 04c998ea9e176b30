// Runs a store on the simulated kernel, takes the power away everywhere, and judges what is left.
//
// The oracles, as in docs/durability.md:
//   (a) acknowledged <= recovered <= submitted      (f) same seed, same history: os/sim/tests/
//   (b) the contents are those of the model         (g) a bad medium: an error, never wrong bytes
//   (c) the power goes at every call                (h) planted mistakes are caught: canaries.h
//   (d) every prefix of each write under way        (i) what was read after a process died is still
//   (e) again while recovery runs, and after it         there after the power has gone
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>

#include "harness/crash/store.h"
#include "harness/crash/weather.h"
#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::crash {

struct Experiment {
  const StoreKind* kind = nullptr;
  Options options = {};  ///< how the page file is opened
  std::uint64_t commits = 6;
  std::optional<Weather> weather = {};  ///< unset: what the seed says
  os::sim::Tearing tearing = os::sim::Tearing::sector;
};

/// A state of the medium that the store did not come back from as it should.
struct Failure {
  std::uint64_t seed;
  std::uint64_t commits;
  std::optional<Weather> weather;
  char oracle;  ///< 'a' ...
  std::uint64_t acknowledged;
  std::uint64_t submitted;
  std::string found;     ///< "recovered commit 3", or the error's line
  std::string timeline;  ///< what was asked of the kernel until the power went, and what was left
};

/// Counts over many seeds.
struct Tally {
  std::uint64_t seeds = 0;
  std::uint64_t cuts = 0;                      ///< media that were drawn
  std::unordered_set<std::uint64_t> distinct;  ///< hashes of those that were judged
  std::uint64_t torn_words = 0;                ///< of them, by oracle (d)
  std::uint64_t recoveries_cut = 0;            ///< lives that began with a medium and were cut, (e)
  std::uint64_t deaths = 0;                    ///< of processes, (i)
  std::uint64_t damaged = 0;                   ///< media of a bad disk, judged by (g)
  os::sim::FaultLog faults;
};

/// What a person needs: the mistake when it is known, what was expected and found, the history, and
/// how to see it again.
std::string text_of(const Failure& failure, const StoreKind& kind, std::string_view way);

/// One seed: a whole run of commits, cut at every point. The first failure, or nothing.
std::optional<Failure> run_seed(const Experiment& experiment, std::uint64_t seed, Tally& tally);

/// The shortest history found that fails by the same oracle, with its timeline.
Failure shortest(const Experiment& experiment, const Failure& failure);

}  // namespace pagealloc::crash
