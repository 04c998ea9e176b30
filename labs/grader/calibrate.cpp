// How fast this machine carries out what the labs' tests do: prints the processor time, in
// nanoseconds, of a fixed piece of such work. Limits of time are multiples of it.
#include <fmt/format.h>
#include <time.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pagealloc/os/sim/kernel.h"

namespace {

using namespace pagealloc::os;

std::uint64_t processor_ns() {
  timespec now{};
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) < 0) return 0;
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

/// Writes, syncs and cuts: what a test of durability spends its time on.
bool work() {
  sim::SimKernel kernel(sim::Machine{.seed = 1});
  const int fd = kernel.open("/file", O_RDWR | O_CREAT, 0600);
  std::vector<std::byte> page(4096, std::byte{7});
  const iovec iov{page.data(), page.size()};
  bool good = fd >= 0;
  for (std::uint64_t round = 0; round < 25'000 && good; ++round) {
    for (std::uint64_t i = 0; i < 8; ++i) good &= kernel.pwritev(fd, &iov, 1, i * 4096) == 4096;
    if (round % 4 == 0) good &= kernel.fdatasync(fd) == 0;
    good &= kernel.cut(sim::Tearing::sector).files.size() <= 1;
  }
  return good;
}

}  // namespace

int main() {
  const std::uint64_t begin_ns = processor_ns();
  if (!work()) {
    fmt::print(stderr, "calibrate: the simulated machine refused\n");
    return 1;
  }
  fmt::print("{}\n", processor_ns() - begin_ns);
  return 0;
}
