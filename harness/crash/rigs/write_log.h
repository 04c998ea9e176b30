// The log of all writes to a block device, as dm-log-writes of Linux and blklogwrites of QEMU keep
// it (Documentation/admin-guide/device-mapper/log-writes.rst): a sector that counts the entries,
// then each entry's sector and, unless it is a mark or a discard, what was written.
//
// Writes stand in the order in which the device completed them, but only once a flush has covered
// them: so whatever prefix of the log ends with a flush is a medium that a power cut can leave.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace pagealloc::crash::rigs {

struct LogEntry {
  std::uint64_t offset_bytes;  ///< on the device that was logged
  std::uint64_t bytes;
  std::uint64_t flags;
  std::uint64_t data_offset_bytes;  ///< in the log

  bool flush() const { return (flags & 1U << 0) != 0; }
  bool fua() const { return (flags & 1U << 1) != 0; }
  bool discard() const { return (flags & 1U << 2) != 0; }
  bool mark() const { return (flags & 1U << 3) != 0; }
  bool writes() const { return bytes > 0 && !discard() && !mark(); }
};

/// Read only; not thread safe.
class WriteLog {
 public:
  /// `path` is a file or a block device.
  static std::expected<WriteLog, std::string> open(const std::string& path);
  WriteLog(WriteLog&& other) noexcept
      : path_(std::move(other.path_)),
        fd_(std::exchange(other.fd_, -1)),
        entries_(std::move(other.entries_)) {}
  WriteLog& operator=(WriteLog&&) = delete;
  ~WriteLog();

  const std::string& path() const { return path_; }
  std::span<const LogEntry> entries() const { return entries_; }
  /// What entry number `index` wrote.
  std::expected<std::vector<std::byte>, std::string> data(std::size_t index) const;

 private:
  WriteLog(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::expected<void, std::string> read_entries();
  std::expected<void, std::string> read_at(std::span<std::byte> bytes, std::uint64_t offset) const;
  std::string path_;
  int fd_;
  std::vector<LogEntry> entries_;
};

/// The lengths of all prefixes of the log that a power cut can leave, shortest first: up to each
/// flush and each write that passed the cache, and before a write that carried a flush with it.
std::vector<std::size_t> cut_points(std::span<const LogEntry> entries);

}  // namespace pagealloc::crash::rigs
