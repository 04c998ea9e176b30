#include "harness/simulated_depth.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "harness/scratch.h"
#include "harness/workload.h"
#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::harness {

namespace {

constexpr std::uint32_t page_bytes = 4096;
constexpr std::uint64_t pages = 256;  // no cache is in the way, so none need be read only once
constexpr std::uint32_t depth_max = 256;
// While the last ones are awaited fewer than `depth` are in flight: of so many that is 1 %.
constexpr std::uint64_t ops_for_each_in_flight = 40;

template <typename Value>
Value or_die(std::expected<Value, std::string> value) {
  if (value) return std::move(*value);
  fmt::print(stderr, "pagealloc_bench: simulated machine: {}\n", value.error());
  std::abort();
}

DepthPoint measure(const os::sim::Model& model, const Scratch& file, std::uint32_t depth) {
  Job job;
  job.workload = Workload::random_cold;
  job.options.impl = "uring";
  job.options.page_bytes = page_bytes;
  job.options.depth = depth;
  job.options.frames = 2 * depth;
  job.depth = depth;
  const Request request{.ops = ops_for_each_in_flight * depth, .seed = depth};
  Histogram latencies;
  const Round round = or_die(run_workload(job, file, request, latencies));
  return {.model = std::string(model.name),
          .units = model.units,
          .depth = depth,
          .ops = round.ops,
          .ops_per_second = round.ops_per_second,
          .latency_mean_ns = latencies.mean_ns(),
          .p99_ns = round.p99_ns.value_or(0)};
}

}  // namespace

// The loop is that of every other row. It awaits a quarter of what is in flight at a time, which
// costs a device of many units some of its rate; but it is what the rows on real disks do, too.
std::vector<DepthPoint> simulated_depth() {
  std::vector<DepthPoint> points;
  for (const os::sim::Model& model : os::sim::models()) {
    os::sim::SimKernel kernel(os::sim::Machine{.model = model});
    const Scratch file = or_die(Scratch::make(kernel, "/depth.pa", pages * page_bytes, page_bytes,
                                              [](double) { return true; }));
    for (std::uint32_t depth = 1; depth <= depth_max; depth *= 2) {
      points.push_back(measure(model, file, depth));
    }
  }
  return points;
}

nlohmann::json to_json(const std::vector<DepthPoint>& points) {
  nlohmann::json list = nlohmann::json::array();
  for (const DepthPoint& point : points) {
    list.push_back({{"model", point.model},
                    {"units", point.units},
                    {"depth", point.depth},
                    {"ops", point.ops},
                    {"ops_per_second", point.ops_per_second},
                    {"latency_mean_ns", point.latency_mean_ns},
                    {"p99_ns", point.p99_ns}});
  }
  return list;
}

}  // namespace pagealloc::harness
