// The measured loops themselves, written against PageFile alone.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "harness/histogram.h"
#include "harness/job.h"
#include "harness/round.h"
#include "harness/scratch.h"

namespace pagealloc::harness {

/// In every message about bytes that are not those that were written.
inline constexpr std::string_view wrong_bytes_text = "WRONG BYTES";

struct Request {
  std::uint64_t ops = 0;         ///< operations to do
  std::uint64_t common_ops = 0;  ///< the first so many go into Round::checksum, the same for all
  std::uint64_t seed = 0;        ///< of the order of pages
  std::optional<std::size_t> cpu = {};  ///< where to run, when not anywhere
};

/// Opens `file` as `job` says, does request.ops operations in the order that the seed gives, and
/// adds their latencies to `latencies`. Every page read is added up and compared with what was
/// written; wrong bytes are an error, whatever the speed.
std::expected<Round, std::string> run_workload(const Job& job, const Scratch& file,
                                               const Request& request, Histogram& latencies);

}  // namespace pagealloc::harness
