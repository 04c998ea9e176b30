// A file of pages, as small as measuring needs it: written page by page, and read by calls, by
// threads, by a ring or through a map. The storage engine's own files are what the other labs
// write, so this lab does without them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pagealloc/error.h"
#include "pagealloc/options.h"

namespace pagealloc::labs::measure {

inline constexpr std::uint64_t page_bytes = 4096;

/// A read that was begun.
struct Read {
  PageId page = 0;
  std::byte* frame = nullptr;  ///< where its bytes come to lie
  std::uint64_t begun_ns = 0;  ///< by the machine's clock
  std::int64_t result = 0;     ///< bytes read, or -errno
};

class File {
 public:
  File(const Options& options, std::string path, int fd);
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  virtual ~File();

  /// Makes the file so long; blocks are reserved for all of it. Durable after the next sync.
  Result<void> resize(std::uint64_t pages);
  Result<void> write(PageId page, std::span<const std::byte> bytes);
  Result<void> sync();
  /// "mmap" only, else nullptr: where the page lies in memory.
  const std::byte* peek(PageId page) const;

  /// Begins a read. Of a file without threads or ring it has ended, too, when begin() returns.
  virtual void begin(Read& read);
  /// Waits until one has ended; which one it is. Precondition: one was begun and not handed out.
  virtual Read& next();

  Error error(std::int64_t result, std::string cause) const;

 protected:
  void execute(Read& read);
  os::Kernel& kernel() { return *options_.kernel; }
  int fd() const { return fd_; }
  std::vector<Read*> ended_;

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  Result<void> map(std::uint64_t bytes);
  Options options_;
  std::string path_;
  int fd_;
  std::byte* base_ = nullptr;  // of the map
  std::uint64_t mapped_bytes_ = 0;
  std::unique_ptr<std::byte, Free> staged_;  // aligned, for O_DIRECT
  friend class Frames;
};

/// Memory for `count` pages, aligned to a page.
class Frames {
 public:
  explicit Frames(std::size_t count);
  std::byte* operator[](std::size_t index) { return memory_.get() + index * page_bytes; }

 private:
  std::unique_ptr<std::byte, File::Free> memory_;
};

/// Opens `path`; a file that this makes is there after a power cut. Of Options it knows impl
/// ("pread", "mmap", "direct", "uring"), create, direct, write_through, access, depth (entries of
/// the ring), kernel, and threads: with "pread", so many threads read, each one page at a time; who
/// calls begin() and next() is none of them. (The engine's own threads count otherwise, and the
/// rest of pagealloc/options.h is for the labs after this.)
Result<std::unique_ptr<File>> open(std::string_view path, const Options& options);

/// Not durable before sync().
Result<void> write_page(File& file, PageId page, std::span<const std::byte> bytes);
/// Returns when every write before is durable.
Result<void> sync(File& file);
/// The bytes of a page; of a map its own.
Result<std::vector<std::byte>> read_page(File& file, PageId page);

}  // namespace pagealloc::labs::measure
