#include "pagealloc/holes.h"

#include <linux/fiemap.h>
#include <linux/fs.h>

#include <array>
#include <cstring>

namespace pagealloc {

bool has_holes(os::Kernel& kernel, int fd, std::uint64_t bytes) noexcept {
  constexpr std::size_t extents = 128;
  alignas(fiemap) std::array<std::byte, sizeof(fiemap) + extents * sizeof(fiemap_extent)> memory{};
  std::uint64_t covered_bytes = 0;  // from the start, without a gap
  while (covered_bytes < bytes) {
    fiemap request{};
    request.fm_start = covered_bytes;
    request.fm_length = bytes - covered_bytes;
    request.fm_extent_count = extents;
    std::memcpy(memory.data(), &request, sizeof request);
    if (kernel.ioctl(fd, FS_IOC_FIEMAP, memory.data()) < 0) return false;
    std::memcpy(&request, memory.data(), sizeof request);
    if (request.fm_mapped_extents == 0) return true;
    const std::uint64_t before_bytes = covered_bytes;
    for (std::uint32_t i = 0; i < request.fm_mapped_extents; ++i) {
      fiemap_extent extent{};
      std::memcpy(&extent, memory.data() + sizeof request + i * sizeof extent, sizeof extent);
      if (extent.fe_logical > covered_bytes) return true;
      covered_bytes = extent.fe_logical + extent.fe_length;
    }
    if (covered_bytes <= before_bytes) return true;  // no progress: nothing can be learnt
  }
  return false;
}

}  // namespace pagealloc
