// What a store has submitted and acknowledged, written down where a power cut does not reach: a
// file on another device, or a sector past the end of the file system, whose writes are in the log
// between those of the store.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace pagealloc::crash::rigs {

inline constexpr std::size_t record_bytes = 512;  ///< one sector: a device writes it or does not

struct Progress {
  std::uint64_t submitted = 0;
  std::uint64_t acknowledged = 0;
};

/// "pagealloc-mark SUBMITTED ACKNOWLEDGED" and zeros: text, so that a script reads it as well.
std::array<char, record_bytes> record_of(const Progress& progress);
/// Nothing where the bytes are not such a record.
std::optional<Progress> progress_of(std::span<const std::byte> record);

/// The place where progress is noted. Not thread safe.
class ProgressFile {
 public:
  /// A block device is opened with O_DIRECT, so that a note is on its way when note() returns, and
  /// without O_DSYNC, because that would flush the very cache that is under test.
  static std::expected<ProgressFile, std::string> open(const std::string& path,
                                                       std::uint64_t offset_bytes);
  ProgressFile(ProgressFile&& other) noexcept
      : path_(std::move(other.path_)),
        fd_(std::exchange(other.fd_, -1)),
        offset_bytes_(other.offset_bytes_) {}
  ProgressFile& operator=(ProgressFile&&) = delete;
  ~ProgressFile();

  /// One pwrite.
  std::expected<void, std::string> note(const Progress& progress);

 private:
  ProgressFile(std::string path, int fd, std::uint64_t offset_bytes)
      : path_(std::move(path)), fd_(fd), offset_bytes_(offset_bytes) {}
  std::string path_;
  int fd_;
  std::uint64_t offset_bytes_;
};

}  // namespace pagealloc::crash::rigs
