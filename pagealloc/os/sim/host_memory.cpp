#include "pagealloc/os/sim/host_memory.h"

#include <cstring>

#include "pagealloc/os/kernel.h"

namespace pagealloc::os::sim {

HostMemory& HostMemory::mine() {
  thread_local HostMemory memory;
  return memory;
}

HostMemory::~HostMemory() {
  for (const auto& [bytes, all] : free_) {
    for (std::byte* memory : all) (void)linux_kernel().munmap(memory, bytes);
  }
}

std::byte* HostMemory::take(std::size_t bytes) {
  auto& free = free_[bytes];
  if (!free.empty()) {
    std::byte* const memory = free.back();
    free.pop_back();
    std::memset(memory, 0, bytes);
    return memory;
  }
  const auto memory = linux_kernel().mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory ? static_cast<std::byte*>(*memory) : nullptr;
}

void HostMemory::give(std::byte* memory, std::size_t bytes) { free_[bytes].push_back(memory); }

}  // namespace pagealloc::os::sim
