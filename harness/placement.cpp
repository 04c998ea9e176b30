#include "harness/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "harness/workload.h"

namespace pagealloc::harness {

std::expected<Pinned, std::string> Pinned::to(std::size_t cpu) {
  cpu_set_t home;
  cpu_set_t wanted;
  CPU_ZERO(&wanted);
  CPU_SET(cpu, &wanted);
  if (sched_getaffinity(0, sizeof home, &home) < 0 ||
      sched_setaffinity(0, sizeof wanted, &wanted) < 0) {
    return std::unexpected(fmt::format("CPU {}: {}", cpu, std::strerror(errno)));
  }
  return Pinned(home);
}

Pinned::Pinned(Pinned&& other) noexcept : home_(other.home_), pinned_(other.pinned_) {
  other.pinned_ = false;
}

Pinned::~Pinned() {
  // It was allowed there before; if a CPU was taken away since, staying here is all there is.
  if (pinned_) (void)sched_setaffinity(0, sizeof home_, &home_);
}

std::expected<ReadsPerSecond, std::string> reads_per_second_by_cpu(const Scratch& file,
                                                                   std::uint32_t page_bytes) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) < 0) {
    return std::unexpected(std::string(std::strerror(errno)));
  }
  Job job;
  job.options = {.impl = "direct", .page_bytes = page_bytes};
  constexpr std::uint64_t reads = 256;
  constexpr int passes = 4;
  constexpr std::uint64_t enough_ns = 2'000'000'000;  // a hard disk has no time for all of it
  const std::uint64_t start_ns = file.kernel().now_ns();
  std::uint64_t seed = 1U << 20;  // orders that no round uses
  ReadsPerSecond found;
  for (int pass = 0; pass < passes; ++pass) {
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &allowed)) continue;
      if (!found.empty() && file.kernel().now_ns() - start_ns > enough_ns) return found;
      Histogram unused;
      const Request request = {
          .ops = std::min(reads, file.pages()), .common_ops = 0, .seed = ++seed, .cpu = cpu};
      const auto round = run_workload(job, file, request, unused);
      if (!round) return std::unexpected(round.error());
      found[cpu] = std::max(found[cpu], round->ops_per_second);
    }
  }
  return found;
}

}  // namespace pagealloc::harness
