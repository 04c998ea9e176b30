#include "pagealloc/os/sim/content.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "pagealloc/os/kernel.h"

namespace pagealloc::os::sim {

namespace {

constexpr std::uint64_t map_bytes = 64ULL << 30;  // addresses, not memory

/// A nameless file of the host, in memory where the host has a place for that, and a map of it.
struct HostFile {
  int fd = -1;
  std::byte* map = nullptr;
};

std::expected<HostFile, int> make_host_file() {
  Kernel& host = linux_kernel();
  HostFile file;
  for (const char* directory : {"/dev/shm", "/tmp", "."}) {
    file.fd = host.open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file.fd >= 0) break;
  }
  if (file.fd < 0) return std::unexpected(file.fd);
  const auto map =
      host.mmap(nullptr, map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file.fd, 0);
  if (!map) {
    (void)host.close(file.fd);
    return std::unexpected(map.error());
  }
  file.map = static_cast<std::byte*>(*map);
  return file;
}

void destroy(const HostFile& file) {
  (void)linux_kernel().munmap(file.map, map_bytes);
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
    if (free_.empty()) return make_host_file();
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
  if (host_fd_ >= 0) HostFiles::mine().give({host_fd_, map_});
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
  const auto file = HostFiles::mine().take();
  if (!file) return file.error();
  if (const int result = linux_kernel().ftruncate(file->fd, memory_.size()); result < 0) {
    HostFiles::mine().give(*file);
    return result;
  }
  host_fd_ = file->fd;
  map_ = file->map;
  bytes_ = memory_.size();
  if (bytes_ > 0) std::memcpy(map_, memory_.data(), bytes_);
  memory_ = {};
  return host_fd_;
}

}  // namespace pagealloc::os::sim
