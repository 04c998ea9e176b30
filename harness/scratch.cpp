#include "harness/scratch.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "harness/sequence.h"
#include "harness/under_test.h"
#include "pagealloc/error.h"
#include "pagealloc/uninterrupted.h"

namespace pagealloc::harness {

namespace {

std::unexpected<std::string> failed(const char* what, const std::string& path, int os_error) {
  return std::unexpected(fmt::format("{}: {}: {}", path, what, describe(os_error)));
}

std::size_t system_page_bytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace

std::uint64_t word_of(std::uint64_t page, std::uint64_t index) {
  return mix(page + 1) + mix(~index);
}

std::uint64_t page_sum(std::uint64_t page, std::uint32_t page_bytes) {
  const std::uint64_t words = page_bytes / sizeof(std::uint64_t);
  static thread_local std::uint64_t places_for = 0;
  static thread_local std::uint64_t places = 0;
  if (places_for != words) {
    places_for = words;
    places = 0;
    for (std::uint64_t i = 0; i < words; ++i) places += mix(~i);
  }
  return words * mix(page + 1) + places;
}

std::expected<ScratchDirectory, std::string> ScratchDirectory::make(const std::string& parent) {
  std::string path = parent + "/pagealloc-bench-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    return failed("cannot make a directory in", parent, errno);
  }
  return ScratchDirectory(std::move(path));
}

ScratchDirectory::~ScratchDirectory() {
  if (!path_.empty()) (void)rmdir(path_.c_str());  // what somebody has put there stays
}

std::expected<Scratch, std::string> Scratch::make(os::Kernel& kernel, const std::string& path,
                                                  std::uint64_t bytes, std::uint32_t page_bytes,
                                                  const std::function<bool(double)>& progress) {
  const int fd = kernel.open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return failed("cannot create", path, -fd);
  Scratch scratch(kernel, path, fd, bytes, page_bytes);
  // One page of the system at a time: the page cache then holds it in small folios, which is how an
  // engine's own writes leave it.
  const std::uint64_t chunk_bytes = std::max<std::uint64_t>(system_page_bytes(), page_bytes);
  std::vector<std::uint64_t> chunk(chunk_bytes / sizeof(std::uint64_t));
  const std::uint64_t words = page_bytes / sizeof(std::uint64_t);
  std::vector<std::uint64_t> places(words);
  for (std::uint64_t i = 0; i < words; ++i) places[i] = mix(~i);
  for (std::uint64_t offset = 0; offset < bytes;) {
    const std::uint64_t length = std::min(chunk_bytes, bytes - offset);
    for (std::uint64_t word = 0; word < length / sizeof(std::uint64_t); ++word) {
      chunk[word] = mix(offset / page_bytes + word / words + 1) + places[word % words];
    }
    const iovec iov{chunk.data(), length};
    const std::int64_t written = uninterrupted([&] { return kernel.pwritev(fd, &iov, 1, offset); });
    if (written < 0) return failed("cannot fill", path, static_cast<int>(-written));
    if (static_cast<std::uint64_t>(written) % page_bytes != 0) {
      return std::unexpected(fmt::format("{}: cannot fill: the disk is full", path));
    }
    offset += static_cast<std::uint64_t>(written);
    constexpr std::uint64_t note_every_bytes = 16U << 20;
    if (offset % note_every_bytes != 0) continue;
    if (!progress(static_cast<double>(offset) / static_cast<double>(bytes))) {
      return std::unexpected(std::string("interrupted"));
    }
  }
  if (const int synced = kernel.fsync(fd); synced < 0) return failed("cannot sync", path, -synced);
  return scratch;
}

Scratch::Scratch(Scratch&& other) noexcept
    : kernel_(other.kernel_),
      path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      bytes_(other.bytes_),
      page_bytes_(other.page_bytes_) {}

Scratch::~Scratch() {
  if (fd_ < 0) return;
  (void)kernel_.unlink(path_.c_str());
  (void)kernel_.close(fd_);
}

std::expected<std::vector<unsigned char>, std::string> Scratch::residency() const {
  void* map = mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, fd_, 0);
  if (map == MAP_FAILED) return failed("cannot map", path_, errno);
  std::vector<unsigned char> there((bytes_ + system_page_bytes() - 1) / system_page_bytes());
  const int result = mincore(map, bytes_, there.data());
  const int mincore_errno = errno;
  munmap(map, bytes_);
  if (result < 0) return failed("mincore", path_, mincore_errno);
  for (unsigned char& page : there) page &= 1;
  return there;
}

std::expected<double, std::string> Scratch::resident() const {
  const auto there = residency();
  if (!there) return std::unexpected(there.error());
  const auto count = std::count(there->begin(), there->end(), 1);
  return static_cast<double>(count) / static_cast<double>(there->size());
}

std::expected<void, std::string> Scratch::make_cold() const {
  double share = 1;
  // A few pages may be locked for a moment by write-back or readahead that is just ending.
  for (int tries = 0; tries < 5; ++tries) {
    const int synced = kernel_.fdatasync(fd_);  // dirty pages would stay
    if (synced < 0) return failed("cannot sync", path_, -synced);
    const int dropped = kernel_.fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
    if (dropped < 0) return failed("cannot drop from the page cache", path_, -dropped);
    if (!is_host(kernel_)) return {};
    const auto left = resident();
    if (!left) return std::unexpected(left.error());
    share = *left;
    if (share == 0) return {};
  }
  return std::unexpected(
      fmt::format("{:.4f} % of the file stays in the page cache here (a file "
                  "system in memory has no cold reads)",
                  100 * share));
}

std::expected<void, std::string> Scratch::read_range(std::uint64_t offset,
                                                     std::uint64_t bytes) const {
  std::vector<char> chunk(bytes);
  const iovec iov{chunk.data(), chunk.size()};
  const std::int64_t got = uninterrupted([&] { return kernel_.preadv(fd_, &iov, 1, offset); });
  if (got < 0) return failed("cannot read", path_, static_cast<int>(-got));
  return {};
}

std::expected<void, std::string> Scratch::make_warm() const {
  if (!is_host(kernel_)) return read_range(0, bytes_);
  double share = 0;
  // Some systems give memory back to their host all the time, a page of this file now and then.
  for (int tries = 0; tries < 5; ++tries) {
    const auto there = residency();
    if (!there) return std::unexpected(there.error());
    const auto missing = static_cast<std::size_t>(std::count(there->begin(), there->end(), 0));
    if (missing == 0) return {};
    share = 1 - static_cast<double>(missing) / static_cast<double>(there->size());
    // A few are read page by page: readahead would bring them in as parts of large folios, and to
    // write one page of such a folio back costs several times as much.
    const bool few = missing < there->size() / 10;
    const std::size_t step = few ? 1 : (1U << 20) / system_page_bytes();
    const int advised = kernel_.fadvise(fd_, 0, 0, few ? POSIX_FADV_RANDOM : POSIX_FADV_NORMAL);
    if (advised < 0) return failed("cannot advise", path_, -advised);
    for (std::size_t page = 0; page < there->size(); page += step) {
      if (few && (*there)[page] != 0) continue;
      const auto read = read_range(page * system_page_bytes(), step * system_page_bytes());
      if (!read) return read;
    }
  }
  return std::unexpected(
      fmt::format("only {:.4f} % of the file stay in the page cache", 100 * share));
}

}  // namespace pagealloc::harness
