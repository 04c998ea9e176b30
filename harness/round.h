// What one measurement gave. A figure that could not be known is absent, never 0.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace pagealloc::harness {

struct Round {
  std::uint64_t ops = 0;
  double seconds = 0;
  double ops_per_second = 0;
  double bytes_per_second = 0;
  std::optional<double> p50_ns = {};
  std::optional<double> p99_ns = {};
  std::optional<double> p999_ns = {};
  std::optional<double> cpu_ns_per_op = {};
  std::optional<double> system_calls_per_op = {};
  std::optional<double> minor_faults_per_op = {};
  std::optional<double> major_faults_per_op = {};
  std::optional<std::uint64_t> checksum = {};  ///< of the bytes that all implementations read
};

nlohmann::json to_json(const Round& round);

}  // namespace pagealloc::harness
