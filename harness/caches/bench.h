// The comparison of caches: the kernel's and ours with the same memory, and what each costs.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/caches/reader.h"
#include "harness/memory_limit.h"
#include "harness/progress.h"

namespace pagealloc::harness::caches {

/// The reason of what was not measured because of Ctrl-C.
inline constexpr const char* interrupted_text = "the run was interrupted before";

/// How much is measured.
struct Extent {
  std::uint64_t budget_bytes;  ///< of a cache
  std::uint32_t rounds;
  bool all;  ///< every workload, working set and number of threads, or the few that tell most
};

/// The files, as long as the working sets are: a reader of a part of a longer one would read ahead
/// what is not asked for.
struct Files {
  Scratch half;  ///< of the budget
  Scratch one;
  Scratch four;
};

/// Writes them; the error is why that cannot be done.
std::expected<Files, std::string> make_files(const std::string& directory,
                                             std::uint64_t budget_bytes, std::uint32_t page_bytes,
                                             Progress& progress);

/// One round after the other of the same reads.
struct Measured {
  std::vector<double> ops_per_second = {};
  std::vector<double> hit_ratios = {};  ///< none where the kernel does not count what was read
  std::string reason = {};              ///< why there are no more rounds

  /// Adds them to what is said of these reads.
  void describe(nlohmann::json& entry) const;
};

/// Of the cache of a hot set: all of it is there, half of it, or a scan runs through.
enum class State : std::uint8_t { warm, half_warm, scan };

/// What the readers of the hot set saw.
struct Seen {
  double ops_per_second;
  double hit_ratio;
};

/// Not thread safe.
class Bench {
 public:
  Bench(const Files& files, const Extent& extent, Progress& progress);

  /// Steps of progress that measure() takes.
  static std::size_t steps(const Extent& extent);
  /// All of it; the schema is in docs/measuring.md, under "caches".
  nlohmann::json measure();
  /// Something had other bytes than were written.
  bool wrong_bytes() const { return wrong_bytes_; }

 private:
  struct Row;
  struct Team;
  nlohmann::json rows();
  std::string measure_row(Row& row, std::uint32_t round);
  nlohmann::json hit_cost();
  void open_team(Team& team);
  void measure_team(Team& team, std::uint32_t round);
  nlohmann::json scaling();
  std::expected<Seen, std::string> measure_state(System system, const std::vector<PageId>& hot,
                                                 State state, std::uint32_t round);
  nlohmann::json states();
  nlohmann::json scan();
  std::expected<std::vector<double>, std::string> scan_line(const Options& options, System system);
  /// Empty: the file is cold, and a kernel's cache has the budget, with room for what is read ahead
  /// of so many streams that read in order. Else why that cannot be.
  std::string begin(System system, const Scratch& file, std::size_t streams);
  const Scratch& file_of(const Row& row) const;
  void end();
  void note(const std::string& reason);
  /// What is read where all reads shall be hits.
  std::uint64_t hot_pages() const { return cache_pages() / 2; }
  std::uint64_t cache_pages() const { return extent_.budget_bytes / page_bytes_; }

  const Files& files_;
  const Scratch& file_;  // the longest
  Extent extent_;
  Progress& progress_;
  std::uint32_t page_bytes_;
  std::optional<MemoryLimit> limit_;
  std::string limit_reason_;
  std::uint64_t ahead_bytes_;  // what the kernel reads ahead of a stream on this disk
  std::string hits_reason_;    // why hits cannot be told from misses; empty: they can
  bool wrong_bytes_ = false;
};

}  // namespace pagealloc::harness::caches
