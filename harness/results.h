// Everything a run measured, and results.json. The schema is in docs/measuring.md.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/histogram.h"
#include "harness/job.h"
#include "harness/round.h"

namespace pagealloc::harness {

/// A job and what came of it, round by round; rounds[i] and peer_rounds[i] were measured one after
/// the other.
struct Series {
  Job job;
  std::uint64_t ops = 0;  ///< per round, found by calibration
  std::vector<Round> rounds;
  std::vector<Round> peer_rounds;
  Histogram latencies;
  double resident = -1;     ///< share in the page cache before the last round; -1: unknown
  std::string reason;       ///< why there is nothing (more); empty: there is
  std::string peer_reason;  ///< the same for fio
  std::string peer_job;     ///< fio's command line
};

nlohmann::json rows_of(const std::vector<Series>& all);
nlohmann::json ratios_of(const std::vector<Series>& all);

/// Writes to a temporary name and renames, so that a reader never finds half a file. False, with
/// errno set, when that fails.
bool write_json(const std::string& path, const nlohmann::json& document);

/// The table that ends a run in a terminal.
void print_summary(const std::vector<Series>& all);

}  // namespace pagealloc::harness
