// What the devices were asked for, as the kernel counts it: a read that asked for nothing was a
// hit.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>

namespace pagealloc::os {

/// By all threads of this process (proc_pid_io(5)); nothing where that cannot be read.
inline std::optional<std::uint64_t> device_read_bytes() {
  std::ifstream file("/proc/self/io");
  for (std::string name; file >> name;) {
    std::uint64_t value = 0;
    file >> value;
    if (name == "read_bytes:") return value;
  }
  return std::nullopt;
}

/// Blocks read by the calling thread (getrusage(2)); cheap enough to be asked around each read.
inline long thread_read_blocks() noexcept {
  rusage usage{};
  return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_inblock : 0;
}

}  // namespace pagealloc::os
