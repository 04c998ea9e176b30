// A file of one block on a simulated machine, and what is left of it after many power cuts.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>

#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::os::sim {

inline constexpr const char* path = "/file";
inline constexpr unsigned cuts = 200;

/// A file of one block, open; and what is left of it after many power cuts.
class Sim : public ::testing::Test {
 protected:
  void boot(Machine machine = {}) {
    kernel_ = std::make_unique<SimKernel>(std::move(machine));
    fd_ = kernel_->open(path, O_RDWR | O_CREAT, 0600);
    ASSERT_GE(fd_, 0);
    write('0');
    ASSERT_EQ(kernel_->fsync(fd_), 0);
    const int directory = kernel_->open("/", O_RDONLY | O_DIRECTORY, 0);
    ASSERT_EQ(kernel_->fsync(directory), 0);
    ASSERT_EQ(kernel_->close(directory), 0);
  }
  void reopen(int flags) {
    ASSERT_EQ(kernel_->close(fd_), 0);
    fd_ = kernel_->open(path, O_RDWR | flags, 0);
    ASSERT_GE(fd_, 0);
  }
  void write(char value) {
    std::memset(block_, value, sizeof block_);
    const iovec iov{block_, sizeof block_};
    ASSERT_EQ(kernel_->pwritev(fd_, &iov, 1, 0), static_cast<std::int64_t>(sizeof block_));
  }
  char read() {
    const iovec iov{block_, sizeof block_};
    EXPECT_EQ(kernel_->preadv(fd_, &iov, 1, 0), static_cast<std::int64_t>(sizeof block_));
    return static_cast<char>(block_[100]);
  }
  /// In how many of the cuts does the file begin with this?
  unsigned left(char value) {
    unsigned count = 0;
    for (unsigned i = 0; i < cuts; ++i) {
      const Image image = kernel_->cut(Tearing::none);
      const auto found = image.files.find(path);
      if (found != image.files.end() && !found->second.bytes.empty() &&
          static_cast<char>(found->second.bytes[0]) == value) {
        ++count;
      }
    }
    return count;
  }
  std::size_t size_after_cut() { return kernel_->cut(Tearing::none).files.at(path).bytes.size(); }

  std::unique_ptr<SimKernel> kernel_;
  int fd_ = -1;
  alignas(4096) std::byte block_[block_bytes] = {};
};

}  // namespace pagealloc::os::sim
