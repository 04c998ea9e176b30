// What a stretch of work cost: time, CPU, system calls, page faults.
#pragma once

#include <sys/resource.h>

#include <cstdint>

#include "harness/histogram.h"
#include "harness/round.h"
#include "pagealloc/os/kernel.h"

namespace pagealloc::harness {

/// Starts when it is made. Time and system calls are those of the kernel that is measured; CPU and
/// faults, which only this machine's Linux tells, those of all threads, workers included.
class Meter {
 public:
  explicit Meter(os::Kernel& kernel);
  /// Ends the stretch; `ops` operations of `bytes_per_op` bytes were done in it.
  Round stop(std::uint64_t ops, std::uint64_t bytes_per_op, const Histogram& latencies) const;

 private:
  os::Kernel& kernel_;
  os::CallCounts calls_;
  rusage usage_;
  std::uint64_t start_ns_;
};

}  // namespace pagealloc::harness
