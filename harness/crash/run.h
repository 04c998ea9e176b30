// The inside of the driver: a seed's run. driver.cpp carries it out and keeps its books;
// checker.cpp says where the power goes, what may be demanded of what is left, and who has kept it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/crash/driver.h"
#include "harness/crash/oracle.h"
#include "pagealloc/os/sim/kernel.h"
#include "pagealloc/os/sim/random.h"

namespace pagealloc::crash {

inline constexpr const char* store_path = "/store.pa";
inline constexpr unsigned depth_max = 2;  // a recovery that is cut off, and the one after it
inline constexpr std::uint64_t commits_later = 2;  // of a life that begins with a medium
inline constexpr unsigned cuts_per_point = 4;

/// What is left, and of what history. Either a medium or, where only the process has died, the
/// machine itself.
struct Left {
  Bounds bounds = {};  ///< what may be demanded of it
  os::sim::Image image = {};
  std::uint64_t hash = 0;  ///< of the image
  std::unique_ptr<os::sim::SimKernel> machine = {};
  char oracle = 0;            ///< 0: the one that finds it
  std::string timeline = {};  ///< when it is kept
};

/// A process, from when it opens the store.
struct Life {
  os::sim::SimKernel& kernel;
  Bounds bounds = {};           ///< what the power would leave if it went now
  unsigned depth = 0;           ///< lives before it
  std::string timeline = {};    ///< of them
  std::vector<Left> left = {};  ///< what a cut may leave of it
  bool stopped = false;         ///< the store has been told of a failure, and is still open
  bool is_cut = false;          ///< the power goes at its calls
};

class Run {
 public:
  Run(const Experiment& experiment, std::uint64_t seed, Tally& tally, bool keeps_timeline);
  std::optional<Failure> all();

  // --- checker.cpp ---
  /// The power may go at this moment: draws media that it may leave.
  void cut(Life& life);
  /// Opens the store, looks what there is, and commits so often. What is wrong, if anything is.
  std::optional<Wrong> live(Life& life, std::uint64_t commits);
  /// Switches a machine on that has this medium, and looks at what the store says. Of some the
  /// power is taken again while it recovers, and while it goes on afterwards: what that leaves is
  /// added to `later`.
  std::optional<Failure> judge(Left& left, unsigned depth, std::vector<Left>& later);
  /// The process has died, and a new one reads what the kernel still has. Then the power goes.
  std::optional<Failure> judge_survivor(Left& left);

  // --- driver.cpp: what those are made with ---
  /// A life begins: its history is kept where it is wanted, and cut() is called wherever the power
  /// may go, if `is_cut`.
  void begin(Life& life, bool is_cut);
  /// And ends: the process may die, the store is closed, the power goes once more.
  void end(Life& life, std::unique_ptr<Store> store);
  /// look() on the store of this life's machine, opened as the experiment wants it.
  std::optional<Wrong> look_on(os::sim::SimKernel& kernel, Store& store, Bounds bounds) const;
  /// Writes "commit 3" or "acknowledged 3" into the history. No call is under way then, so what has
  /// become too much to keep is judged now.
  void note(os::sim::SimKernel& kernel, const char* what, std::uint64_t number);
  /// Counts a medium; false when the same one was drawn before with as much acknowledged.
  bool is_new(std::uint64_t hash, const Bounds& bounds);
  /// Adds a medium to what is left of this life.
  void keep(Life& life, Left left, std::span<const os::sim::Fate> fates);
  /// At some moments the process dies as well, and of some writes every part arrives.
  void sometimes(Life& life);
  /// A medium that a cut leaves of a survivor, of which `shown` may be demanded.
  Left cut_after(Left& survivor, Bounds shown) const;
  Failure failure(const Left& left, char oracle, const Wrong& wrong) const;

 private:
  static std::string history(const Life& life, std::string_view end);
  bool is_first(const Life& life) const;
  void die(Life& life);
  void tear(Life& life);
  void judge_some();
  std::optional<Failure> judge_all(std::vector<Left> all, unsigned depth);

  const Experiment& experiment_;
  std::uint64_t seed_;
  Tally& tally_;
  bool keeps_timeline_;
  Weather weather_;
  std::uint64_t silent_losses_;
  os::sim::Random sample_;
  std::vector<Left> torn_;              // judged after the cuts, which need less to happen
  Life* first_ = nullptr;               // while it lives
  std::optional<Failure> failed_ = {};  // of what was judged while it lived
};

}  // namespace pagealloc::crash
