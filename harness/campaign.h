// A whole run: every job, round after round, ours and fio's in turn, and what else is asked.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/memory_limit.h"
#include "harness/placement.h"
#include "harness/progress.h"
#include "harness/results.h"
#include "harness/scratch.h"
#include "harness/workload.h"
#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::harness {

struct Plan {
  Mode mode = Mode::standard;
  std::uint32_t page_bytes = 4096;
  std::uint64_t file_bytes = 0;  ///< 0: chosen by mode, memory and disk
  std::uint32_t rounds = 0;      ///< 0: chosen by mode
  std::uint64_t seed = 1;
  std::string directory;  ///< where the measured files lie; on a simulated machine nowhere else
  std::optional<os::sim::Machine> machine;  ///< what is measured; none: this machine's Linux
  /// Regular expression on Job::name() and on the names of the sections beside the rows: copy,
  /// beyond_memory, simulated_depth, caches. Empty: all.
  std::string filter;

  /// Is `name` of a row or a section among what is to be measured?
  bool wants(const std::string& name) const;
};

/// Set by SIGINT and SIGTERM: finish the step, keep what was measured.
extern std::atomic<bool> interrupted;

/// How many times as long as the memory of its control group the file is that is read cold there.
inline constexpr std::uint64_t file_over_limit = 4;

class Campaign {
 public:
  explicit Campaign(const Plan& plan);

  /// Makes the files. An error is why nothing can be measured in that directory.
  std::expected<void, std::string> prepare();
  /// Finds out how many operations of each job take as long as one measurement should.
  void calibrate(Series& series);
  /// Measures one job once, and fio once, in an order that changes from round to round.
  void measure(Series& series, std::uint32_t round);
  /// The questions that are not a row: the cost of the copy, a file larger than memory.
  nlohmann::json extras();

  std::vector<Series>& all() { return all_; }
  std::uint32_t rounds() const { return rounds_; }
  const Plan& plan() const { return plan_; }
  /// The kernel that is measured.
  os::Kernel& kernel() const;
  std::string cold_method() const;
  /// Which CPU the rows of one thread run on, and why that one.
  nlohmann::json placement() const;
  /// A row had wrong bytes: the run's figures are worth nothing.
  bool wrong_bytes() const { return wrong_bytes_; }

 private:
  const Scratch& file_of(const Job& job) const;
  Request request_of(const Series& series, std::uint32_t round) const;
  std::uint64_t ops_for(const Job& job, double ops_per_second) const;
  std::expected<void, std::string> set_cache(Series& series);
  void choose_cpu(Progress& progress);
  std::uint64_t suitable_file_bytes() const;
  std::expected<void, std::string> choose_file_bytes();
  std::expected<void, std::string> make_files(Progress& progress);
  bool measure_ours(Series& series, std::uint32_t round);
  bool measure_fio(Series& series, std::uint32_t round, std::vector<Round>& into);
  nlohmann::json copy_cost() const;
  nlohmann::json beyond_memory();

  Plan plan_;
  std::uint32_t rounds_;
  std::unique_ptr<os::sim::SimKernel> machine_;  // of the files, so before them; none: Linux
  std::vector<Series> all_;
  std::optional<ScratchDirectory> directory_;  // of the files, so before them
  std::optional<Scratch> read_file_;
  std::optional<Scratch> warm_file_;  // of a full run, else it is read_file_
  std::optional<Scratch> write_file_;
  std::optional<MemoryLimit> limit_;  // full: cold rows run under it
  std::string limit_reason_;
  ReadsPerSecond reads_by_cpu_;
  std::optional<std::size_t> disk_cpu_;        // the one with the most
  std::string disk_cpu_reason_;                // why there is none
  std::array<std::uint64_t, 4> common_ops_{};  // by Workload
  bool wrong_bytes_ = false;
};

}  // namespace pagealloc::harness
