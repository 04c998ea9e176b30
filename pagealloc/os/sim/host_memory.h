// Memory of the host that a simulated process has mapped for itself.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

namespace pagealloc::os::sim {

/// Given back, it is kept for the next machine of this thread: thousands are switched on each
/// second, and mapping anew took two thirds of their time. Every thread has its own.
class HostMemory {
 public:
  static HostMemory& mine();
  ~HostMemory();
  /// Zeros, readable and writable; nullptr when the host has none.
  std::byte* take(std::size_t bytes);
  void give(std::byte* memory, std::size_t bytes);

 private:
  std::map<std::size_t, std::vector<std::byte*>> free_;  // by size
};

}  // namespace pagealloc::os::sim
