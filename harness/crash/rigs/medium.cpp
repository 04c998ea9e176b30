#include "harness/crash/rigs/medium.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "harness/crash/rigs/trouble.h"

namespace pagealloc::crash::rigs {

namespace {

constexpr std::size_t chunk_bytes = 65536;

/// Makes `bytes` stand at `offset`; `scratch` holds as many.
std::expected<void, std::string> put_chunk(int fd, std::span<const std::byte> bytes,
                                           std::size_t offset, std::span<std::byte> scratch) {
  const auto place = static_cast<off_t>(offset);
  const auto size = static_cast<ssize_t>(bytes.size());
  const auto got = ::pread(fd, scratch.data(), bytes.size(), place);
  if (got < 0) return trouble("cannot read at {}", offset);
  if (got == size && std::ranges::equal(bytes, scratch.first(bytes.size()))) return {};
  const auto written = ::pwrite(fd, bytes.data(), bytes.size(), place);
  if (written < 0) return trouble("cannot write at {}", offset);
  if (written != size) return std::unexpected(fmt::format("a short write at {}", offset));
  return {};
}

}  // namespace

std::expected<Medium, std::string> Medium::open(const std::string& base) {
  const int fd = ::open(base.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return trouble("{}: cannot open", base);
  struct stat status{};
  if (::fstat(fd, &status) != 0) {
    auto failed = trouble("{}: cannot stat", base);
    ::close(fd);
    return failed;
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  auto failed = trouble("{}: cannot map", base);
  ::close(fd);
  if (address == MAP_FAILED) return failed;
  return Medium(base, {static_cast<std::byte*>(address), size});
}

Medium::~Medium() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

std::expected<void, std::string> Medium::apply(const WriteLog& log, std::size_t index) {
  const LogEntry& entry = log.entries()[index];
  if (entry.discard()) {
    return std::unexpected(fmt::format("{}: entry {} is a discard", log.path(), index));
  }
  if (!entry.writes()) return {};
  if (entry.offset_bytes >= bytes_.size()) return {};  // past the file system: a note of progress
  if (entry.bytes > bytes_.size() - entry.offset_bytes) {
    return std::unexpected(fmt::format("{}: entry {} leaves the image", log.path(), index));
  }
  const auto data = log.data(index);
  if (!data) return std::unexpected(data.error());
  std::ranges::copy(*data, bytes_.subspan(entry.offset_bytes).begin());
  return {};
}

std::expected<void, std::string> Medium::put_on(const std::string& device) const {
  const int fd = ::open(device.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return trouble("{}: cannot open", device);
  std::vector<std::byte> scratch(chunk_bytes);
  std::expected<void, std::string> result;
  for (std::size_t offset = 0; offset < bytes_.size() && result; offset += chunk_bytes) {
    const auto chunk = bytes_.subspan(offset, std::min(chunk_bytes, bytes_.size() - offset));
    result = put_chunk(fd, chunk, offset, scratch);
  }
  if (result && ::fsync(fd) != 0) result = trouble("cannot sync");
  ::close(fd);
  if (!result) return std::unexpected(device + ": " + result.error());
  return result;
}

}  // namespace pagealloc::crash::rigs
