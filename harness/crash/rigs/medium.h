// What a power cut leaves on the medium: a formatted file system, and a prefix of what was written
// to it since.
#pragma once

#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <utility>

#include "harness/crash/rigs/write_log.h"

namespace pagealloc::crash::rigs {

/// An image in memory that begins as a copy of a file, which is left alone. Not thread safe.
class Medium {
 public:
  static std::expected<Medium, std::string> open(const std::string& base);
  Medium(Medium&& other) noexcept
      : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}
  Medium& operator=(Medium&&) = delete;
  ~Medium();

  /// Adds entry number `index` of the log. An error for a discard, which leaves the bytes
  /// undefined: file systems are mounted without.
  std::expected<void, std::string> apply(const WriteLog& log, std::size_t index);
  /// Makes `device`, a block device or a file, hold the image, durably. Writes only what differs:
  /// a check of the medium before changed little.
  std::expected<void, std::string> put_on(const std::string& device) const;

 private:
  Medium(std::string path, std::span<std::byte> bytes) : path_(std::move(path)), bytes_(bytes) {}
  std::string path_;
  std::span<std::byte> bytes_;  // a private map: only what was changed takes memory
};

}  // namespace pagealloc::crash::rigs
