// What a stretch of work cost this process: time, CPU, system calls, page faults.
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <cstdint>

#include "harness/histogram.h"
#include "harness/round.h"
#include "pagealloc/os/kernel.h"

namespace pagealloc::harness {

/// Nanoseconds of the monotonic clock.
inline std::uint64_t now_ns() noexcept {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

/// Starts when it is made. CPU and faults are those of all threads, workers included.
class Meter {
 public:
  Meter();
  /// Ends the stretch; `ops` operations of `bytes_per_op` bytes were done in it.
  Round stop(std::uint64_t ops, std::uint64_t bytes_per_op, const Histogram& latencies) const;

 private:
  os::CallCounts calls_;
  rusage usage_;
  std::uint64_t start_ns_;
};

}  // namespace pagealloc::harness
