#include "harness/meter.h"

#include "harness/under_test.h"

namespace pagealloc::harness {

namespace {

double cpu_ns(const rusage& usage) {
  const auto ns = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_usec) * 1e3;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

rusage usage_now() {
  rusage usage{};
  (void)getrusage(RUSAGE_SELF, &usage);  // fails only for a bad argument
  return usage;
}

}  // namespace

Meter::Meter(os::Kernel& kernel)
    : kernel_(kernel), calls_(kernel.calls()), usage_(usage_now()), start_ns_(kernel.now_ns()) {}

Round Meter::stop(std::uint64_t ops, std::uint64_t bytes_per_op, const Histogram& latencies) const {
  const std::uint64_t end_ns = kernel_.now_ns();
  const rusage usage = usage_now();
  const os::CallCounts calls = kernel_.calls();
  const auto count = static_cast<double>(ops);
  Round round;
  round.ops = ops;
  round.seconds = static_cast<double>(end_ns - start_ns_) / 1e9;
  round.ops_per_second = count / round.seconds;
  round.bytes_per_second = round.ops_per_second * static_cast<double>(bytes_per_op);
  if (latencies.total() > 0) {
    round.p50_ns = static_cast<double>(latencies.percentile(0.5));
    round.p99_ns = static_cast<double>(latencies.percentile(0.99));
    // Of fewer operations the worst one would be taken for the 99.9th percentile.
    constexpr std::uint64_t enough = 2000;
    if (latencies.total() >= enough) {
      round.p999_ns = static_cast<double>(latencies.percentile(0.999));
    }
  }
  round.system_calls_per_op = static_cast<double>(calls.total() - calls_.total()) / count;
  if (!is_host(kernel_)) return round;
  round.cpu_ns_per_op = (cpu_ns(usage) - cpu_ns(usage_)) / count;
  round.minor_faults_per_op = static_cast<double>(usage.ru_minflt - usage_.ru_minflt) / count;
  round.major_faults_per_op = static_cast<double>(usage.ru_majflt - usage_.ru_majflt) / count;
  return round;
}

}  // namespace pagealloc::harness
