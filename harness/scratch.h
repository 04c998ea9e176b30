// The files that are measured: real bytes on the disk in question, warm or cold as asked, proven.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "pagealloc/os/kernel.h"

namespace pagealloc::harness {

/// What every word of every page holds, so that a sum over pages can be checked without reading
/// them again: a word that belongs to the page plus one that belongs to the place in it. Rejected:
/// zeros or a repeated block, which a disk or a hypervisor may store once; and sparse files, which
/// do no I/O at all.
std::uint64_t word_of(std::uint64_t page, std::uint64_t index);
/// The sum of all words of a page, modulo 2^64.
std::uint64_t page_sum(std::uint64_t page, std::uint32_t page_bytes);

/// A new directory for scratch files: nothing that lies in `parent` is touched, and two runs do not
/// meet. Removed at the end, when it is empty.
class ScratchDirectory {
 public:
  static std::expected<ScratchDirectory, std::string> make(const std::string& parent);
  ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  ~ScratchDirectory();
  const std::string& path() const { return path_; }

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;  // empty: moved from
};

/// A file of `bytes` bytes of `kernel`, deleted at the end. Not thread safe.
class Scratch {
 public:
  /// Writes and syncs it; `progress` is told the share done and may say false to stop. `path` must
  /// not exist; `bytes` is a multiple of `page_bytes`.
  static std::expected<Scratch, std::string> make(os::Kernel& kernel, const std::string& path,
                                                  std::uint64_t bytes, std::uint32_t page_bytes,
                                                  const std::function<bool(double)>& progress);
  Scratch(Scratch&& other) noexcept;
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch();

  os::Kernel& kernel() const { return kernel_; }
  const std::string& path() const { return path_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t pages() const { return bytes_ / page_bytes_; }

  /// The share of the file that is in the page cache, 0 ... 1 (mincore, so of Linux only).
  std::expected<double, std::string> resident() const;
  /// Throws it out of the page cache, and proves it: an error unless nothing is left. On the
  /// simulated machine, which keeps and drops exactly what it is told to, a test has proven it.
  std::expected<void, std::string> make_cold() const;
  /// Reads it all into the page cache, and proves it in the same way.
  std::expected<void, std::string> make_warm() const;

 private:
  Scratch(os::Kernel& kernel, std::string path, int fd, std::uint64_t bytes,
          std::uint32_t page_bytes)
      : kernel_(kernel), path_(std::move(path)), fd_(fd), bytes_(bytes), page_bytes_(page_bytes) {}
  /// 1 for each page of the system that is in the page cache, else 0.
  std::expected<std::vector<unsigned char>, std::string> residency() const;
  /// Into the page cache, in one call.
  std::expected<void, std::string> read_range(std::uint64_t offset, std::uint64_t bytes) const;
  os::Kernel& kernel_;
  std::string path_;
  int fd_;
  std::uint64_t bytes_;
  std::uint32_t page_bytes_;
};

}  // namespace pagealloc::harness
