#include "pagealloc/os/sim/content.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "pagealloc/os/kernel.h"

namespace pagealloc::os::sim {

namespace {

/// A nameless file of the host, in memory where the host has a place for that.
int make_host_file() {
  Kernel& host = linux_kernel();
  int fd = -1;
  for (const char* directory : {"/dev/shm", "/tmp", "."}) {
    fd = host.open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) break;
  }
  return fd;
}

/// The file and a map of it, which covers it: one of many gigabytes costs at every truncation.
struct HostFile {
  int fd;
  std::byte* map;
  std::uint64_t map_bytes;
};

std::expected<std::byte*, int> map_of(int fd, std::uint64_t bytes) {
  const auto map = linux_kernel().mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (!map) return std::unexpected(map.error());
  return static_cast<std::byte*>(*map);
}

void destroy(const HostFile& file) {
  if (file.map != nullptr) (void)linux_kernel().munmap(file.map, file.map_bytes);
  (void)linux_kernel().close(file.fd);
}

/// Empty ones, kept for the next machine of this thread: making one costs more than a whole
/// recovery.
class HostFiles {
 public:
  static HostFiles& mine() {
    thread_local HostFiles files;
    return files;
  }
  ~HostFiles() {
    for (const HostFile& file : free_) destroy(file);
  }
  std::expected<HostFile, int> take() {
    if (free_.empty()) {
      const int fd = make_host_file();
      if (fd < 0) return std::unexpected(fd);
      return HostFile{fd, nullptr, 0};
    }
    const HostFile file = free_.back();
    free_.pop_back();
    return file;
  }
  void give(const HostFile& file) {
    constexpr std::size_t kept_max = 16;
    const bool empty = linux_kernel().ftruncate(file.fd, 0) == 0;
    if (!empty || free_.size() == kept_max) return destroy(file);
    free_.push_back(file);
  }

 private:
  std::vector<HostFile> free_;
};

}  // namespace

Content::~Content() {
  if (host_fd_ >= 0) HostFiles::mine().give({host_fd_, map_, map_bytes_});
}

std::span<std::byte> Content::all() {
  return host_fd_ < 0 ? std::span(memory_) : std::span(map_, bytes_);
}

std::span<const std::byte> Content::all() const {
  return host_fd_ < 0 ? std::span(memory_) : std::span<const std::byte>(map_, bytes_);
}

void Content::resize(std::uint64_t bytes) {
  if (host_fd_ < 0) return memory_.resize(bytes);
  if (linux_kernel().ftruncate(host_fd_, bytes) < 0 || !cover(bytes)) {
    std::fputs("simulated kernel: the host has no room for a mapped file\n", stderr);
    std::abort();
  }
  bytes_ = bytes;
}

/// Makes the map long enough.
bool Content::cover(std::uint64_t bytes) {
  if (bytes <= map_bytes_) return true;
  constexpr std::uint64_t map_bytes_min = 1ULL << 20;
  const std::uint64_t wanted_bytes = std::bit_ceil(std::max(bytes, map_bytes_min));
  const auto map = map_of(host_fd_, wanted_bytes);
  if (!map) return false;
  if (map_ != nullptr) (void)linux_kernel().munmap(map_, map_bytes_);
  map_ = *map;
  map_bytes_ = wanted_bytes;
  return true;
}

int Content::share() {
  if (host_fd_ >= 0) return host_fd_;
  const auto file = HostFiles::mine().take();
  if (!file) return file.error();
  host_fd_ = file->fd;
  map_ = file->map;
  map_bytes_ = file->map_bytes;
  resize(memory_.size());
  if (bytes_ > 0) std::memcpy(map_, memory_.data(), bytes_);
  memory_ = {};
  return host_fd_;
}

}  // namespace pagealloc::os::sim
