#include "pagealloc/os/sim/content.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "pagealloc/os/kernel.h"

namespace pagealloc::os::sim {

namespace {

constexpr std::uint64_t map_bytes = 64ULL << 30;  // addresses, not memory

/// A nameless file, in memory where the host has a place for that.
int nameless_file() {
  int fd = -1;
  for (const char* directory : {"/dev/shm", "/tmp", "."}) {
    fd = linux_kernel().open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) break;
  }
  return fd;
}

}  // namespace

Content::~Content() {
  if (host_fd_ < 0) return;
  (void)linux_kernel().munmap(map_, map_bytes);
  (void)linux_kernel().close(host_fd_);
}

std::span<std::byte> Content::all() {
  return host_fd_ < 0 ? std::span(memory_) : std::span(map_, bytes_);
}

std::span<const std::byte> Content::all() const {
  return host_fd_ < 0 ? std::span(memory_) : std::span<const std::byte>(map_, bytes_);
}

void Content::resize(std::uint64_t bytes) {
  if (host_fd_ < 0) return memory_.resize(bytes);
  if (linux_kernel().ftruncate(host_fd_, bytes) < 0) {
    std::fputs("simulated kernel: the host has no room for a mapped file\n", stderr);
    std::abort();
  }
  bytes_ = bytes;
}

int Content::share() {
  if (host_fd_ >= 0) return host_fd_;
  Kernel& host = linux_kernel();
  const int fd = nameless_file();
  if (fd < 0) return fd;
  int result = host.ftruncate(fd, memory_.size());
  const auto map =
      host.mmap(nullptr, map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (!map) result = map.error();
  if (result < 0) {
    if (map) (void)host.munmap(*map, map_bytes);
    (void)host.close(fd);
    return result;
  }
  host_fd_ = fd;
  map_ = static_cast<std::byte*>(*map);
  bytes_ = memory_.size();
  if (bytes_ > 0) std::memcpy(map_, memory_.data(), bytes_);
  memory_ = {};
  return host_fd_;
}

}  // namespace pagealloc::os::sim
