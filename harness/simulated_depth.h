// Depth on four classes of disk, where no real one is at hand: random reads on the simulated
// machine, the same figures on every computer.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace pagealloc::harness {

struct DepthPoint {
  std::string model;
  unsigned units = 0;  ///< operations that the device does side by side
  std::uint32_t depth = 0;
  std::uint64_t ops = 0;
  double ops_per_second = 0;
  double latency_mean_ns = 0;
  double p99_ns = 0;
};

/// Pages of 4 KiB in random order through io_uring, past the page cache, at depths 1 to 256 on each
/// model. A simulated machine that cannot do that is a defect, and ends the process.
std::vector<DepthPoint> simulated_depth();

nlohmann::json to_json(const std::vector<DepthPoint>& points);

}  // namespace pagealloc::harness
