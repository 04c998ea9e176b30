#include "harness/crash/rigs/progress.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "harness/crash/rigs/trouble.h"

namespace pagealloc::crash::rigs {

namespace {

constexpr std::string_view magic = "pagealloc-mark ";

/// Takes a number and the character after it off `text`.
std::optional<std::uint64_t> take_number(std::string_view& text, char after) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size() || *end != after) return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return number;
}

}  // namespace

std::array<char, record_bytes> record_of(const Progress& progress) {
  std::array<char, record_bytes> record{};
  fmt::format_to_n(record.data(), record.size(), "{}{} {}\n", magic, progress.submitted,
                   progress.acknowledged);
  return record;
}

std::optional<Progress> progress_of(std::span<const std::byte> record) {
  std::string_view text(reinterpret_cast<const char*>(record.data()), record.size());
  if (!text.starts_with(magic)) return {};
  text.remove_prefix(magic.size());
  const auto submitted = take_number(text, ' ');
  if (!submitted) return {};
  const auto acknowledged = take_number(text, '\n');
  if (!acknowledged) return {};
  return Progress{*submitted, *acknowledged};
}

std::expected<ProgressFile, std::string> ProgressFile::open(const std::string& path,
                                                            std::uint64_t offset_bytes) {
  struct stat status{};
  const bool device = ::stat(path.c_str(), &status) == 0 && S_ISBLK(status.st_mode);
  const int fd =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (device ? O_DIRECT : 0), 0644);
  if (fd < 0) return trouble("{}: cannot open", path);
  return ProgressFile(path, fd, offset_bytes);
}

ProgressFile::~ProgressFile() {
  if (fd_ >= 0) ::close(fd_);
}

std::expected<void, std::string> ProgressFile::note(const Progress& progress) {
  alignas(4096) std::array<char, record_bytes> record = record_of(progress);
  const auto written =
      ::pwrite(fd_, record.data(), record.size(), static_cast<off_t>(offset_bytes_));
  if (written < 0) return trouble("{}: cannot note the progress", path_);
  if (static_cast<std::size_t>(written) != record.size()) {
    return std::unexpected(path_ + ": a short write of the progress");
  }
  return {};
}

}  // namespace pagealloc::crash::rigs
