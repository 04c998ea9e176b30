#include "pagealloc/conformance/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>

namespace pagealloc::conformance {

bool Files::check(std::int64_t result, std::string_view what, const std::string& path) {
  if (result >= 0) return true;
  ADD_FAILURE() << what << " " << path << ": " << std::strerror(static_cast<int>(-result));
  return false;
}

int Files::open(const std::string& path, int flags) {
  const int fd = kernel_.open(path.c_str(), flags | O_CLOEXEC, 0600);
  check(fd, "open", path);
  return fd;
}

void Files::put(const std::string& path, std::string_view bytes) {
  const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC);
  for (std::size_t done = 0; fd >= 0 && done < bytes.size();) {
    const iovec iov{const_cast<char*>(bytes.data()) + done, bytes.size() - done};
    const std::int64_t moved = kernel_.pwritev(fd, &iov, 1, done);
    if (!check(moved, "write", path)) break;
    done += static_cast<std::size_t>(moved);
  }
  if (fd >= 0) (void)kernel_.close(fd);
}

std::vector<std::byte> Files::read(const std::string& path, std::uint64_t offset,
                                   std::size_t bytes) {
  std::vector<std::byte> found(bytes);
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return {};
  std::size_t done = 0;
  while (done < bytes) {
    const iovec iov{found.data() + done, bytes - done};
    const std::int64_t moved = kernel_.preadv(fd, &iov, 1, offset + done);
    if (!check(moved, "read", path) || moved == 0) break;
    done += static_cast<std::size_t>(moved);
  }
  (void)kernel_.close(fd);
  found.resize(done);
  return found;
}

void Files::resize(const std::string& path, std::uint64_t bytes) {
  const int fd = open(path, O_RDWR);
  if (fd < 0) return;
  check(kernel_.ftruncate(fd, bytes), "truncate", path);
  (void)kernel_.close(fd);
}

void Files::fallocate(const std::string& path, int mode, std::uint64_t offset,
                      std::uint64_t bytes) {
  const int fd = open(path, O_RDWR);
  if (fd < 0) return;
  check(kernel_.fallocate(fd, mode, offset, bytes), "fallocate", path);
  (void)kernel_.close(fd);
}

std::uint64_t Files::size(const std::string& path) {
  struct statx now{};
  check(kernel_.statx(AT_FDCWD, path.c_str(), 0, STATX_SIZE, &now), "statx", path);
  return now.stx_size;
}

bool Files::exists(const std::string& path) {
  struct statx now{};
  return kernel_.statx(AT_FDCWD, path.c_str(), 0, STATX_TYPE, &now) == 0;
}

bool Files::is_link(const std::string& path) {
  struct statx now{};
  return kernel_.statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &now) == 0 &&
         S_ISLNK(now.stx_mode);
}

void Files::make_directory(const std::string& path) {
  if (sim_ != nullptr) return sim_->make(path, os::sim::FileKind::directory);
  std::filesystem::create_directory(path);
}

void Files::make_link(const std::string& target, const std::string& path) {
  if (sim_ != nullptr) return sim_->make(path, os::sim::FileKind::link, target);
  std::filesystem::create_symlink(target, path);
}

void Files::make_fifo(const std::string& path) {
  if (sim_ != nullptr) return sim_->make(path, os::sim::FileKind::fifo);
  check(mkfifo(path.c_str(), 0600), "mkfifo", path);
}

void Files::remove(const std::string& path) {
  if (sim_ != nullptr) return sim_->remove(path);
  std::filesystem::remove(path);
}

}  // namespace pagealloc::conformance
