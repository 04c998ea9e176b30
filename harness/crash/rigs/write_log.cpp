#include "harness/crash/rigs/write_log.h"

#include <endian.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "harness/crash/rigs/trouble.h"

namespace pagealloc::crash::rigs {

namespace {

constexpr std::uint64_t log_magic = 0x6a736677736872ULL;
constexpr std::uint64_t log_version = 1;

// Little endian on the disk, all of them.
struct RawSuper {
  std::uint64_t magic;
  std::uint64_t version;
  std::uint64_t entries;
  std::uint32_t sector_bytes;
  std::uint32_t padding;
};
struct RawEntry {
  std::uint64_t sector;
  std::uint64_t sectors;
  std::uint64_t flags;
  std::uint64_t data_bytes;  // of a mark's text
};

}  // namespace

std::expected<WriteLog, std::string> WriteLog::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return trouble("{}: cannot open", path);
  WriteLog log(path, fd);
  if (auto good = log.read_entries(); !good) return std::unexpected(good.error());
  return log;
}

WriteLog::~WriteLog() {
  if (fd_ >= 0) ::close(fd_);
}

std::expected<void, std::string> WriteLog::read_at(std::span<std::byte> bytes,
                                                   std::uint64_t offset) const {
  while (!bytes.empty()) {
    const auto got = ::pread(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return trouble("{}: cannot read at {}", path_, offset);
    if (got == 0) return std::unexpected(fmt::format("{}: it ends at {}", path_, offset));
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return {};
}

std::expected<void, std::string> WriteLog::read_entries() {
  RawSuper super{};
  if (auto good = read_at(std::as_writable_bytes(std::span(&super, 1)), 0); !good) return good;
  if (le64toh(super.magic) != log_magic || le64toh(super.version) != log_version) {
    return std::unexpected(path_ + ": no log of writes");
  }
  const std::uint64_t sector_bytes = le32toh(super.sector_bytes);
  std::uint64_t offset = sector_bytes;
  for (std::uint64_t i = 0; i < le64toh(super.entries); ++i) {
    RawEntry raw{};
    if (auto good = read_at(std::as_writable_bytes(std::span(&raw, 1)), offset); !good) return good;
    const LogEntry entry{.offset_bytes = le64toh(raw.sector) * sector_bytes,
                         .bytes = le64toh(raw.sectors) * sector_bytes,
                         .flags = le64toh(raw.flags),
                         .data_offset_bytes = offset + sector_bytes};
    // A mark's text stands in the entry's own sector.
    offset = entry.data_offset_bytes + (entry.writes() ? entry.bytes : 0);
    entries_.push_back(entry);
  }
  return {};
}

std::expected<std::vector<std::byte>, std::string> WriteLog::data(std::size_t index) const {
  const LogEntry& entry = entries_[index];
  std::vector<std::byte> bytes(entry.writes() ? entry.bytes : 0);
  if (auto good = read_at(bytes, entry.data_offset_bytes); !good) {
    return std::unexpected(good.error());
  }
  return bytes;
}

std::vector<std::size_t> cut_points(std::span<const LogEntry> entries) {
  std::vector<std::size_t> points;
  const auto add = [&](std::size_t prefix) {
    if (points.empty() || points.back() != prefix) points.push_back(prefix);
  };
  for (std::size_t i = 0; i < entries.size(); ++i) {
    // After a write past the cache (FUA) everything before it is taken to be there, which a drive
    // promises of what was flushed only. Device-mapper logs a journal's commit as a flush and then
    // such a write, so nothing lies between them; without these points the next flush would ask
    // too early for what the commit has made durable.
    if (entries[i].flush() && entries[i].writes()) add(i);
    if (entries[i].flush() || entries[i].fua()) add(i + 1);
  }
  return points;
}

}  // namespace pagealloc::crash::rigs
