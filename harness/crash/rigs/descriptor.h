// A file descriptor that is closed at the end, for the parts that ask Linux itself.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <expected>
#include <span>
#include <string>

#include "harness/crash/rigs/trouble.h"

namespace pagealloc::crash::rigs {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  explicit operator bool() const { return fd_ >= 0; }
  int fd() const { return fd_; }

  std::expected<void, std::string> write(std::span<const std::byte> bytes, off_t offset) const {
    const auto written = ::pwrite(fd_, bytes.data(), bytes.size(), offset);
    if (written < 0) return trouble("pwrite at {}", offset);
    if (static_cast<std::size_t>(written) != bytes.size()) {
      return std::unexpected("a short write");
    }
    return {};
  }
  std::expected<char, std::string> first_letter(off_t offset) const {
    char letter = 0;
    const auto got = ::pread(fd_, &letter, 1, offset);
    if (got < 0) return trouble("pread at {}", offset);
    if (got == 0) return std::unexpected("it ends there");
    return letter;
  }

 private:
  int fd_;
};

}  // namespace pagealloc::crash::rigs
