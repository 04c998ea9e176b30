// What the subcommands about structured files share: opening one, whatever its page size.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "pagealloc/cli/common.h"
#include "pagealloc/page/allocator.h"
#include "pagealloc/slotted/verify.h"

namespace pagealloc::cli {

/// Adds FILE, whose page size is what the file says.
void add_structured(CLI::App& command, FileArgs& args);

/// Is there a superblock in it, and of what page size? Looks for the first copy, and for the others
/// at where each page size would have them. not_page_file when there is none.
Result<std::uint32_t> find_page_bytes(const FileArgs& args);

/// That no other of these commands writes to the file: a file has one allocator at a time. Readers
/// share it. flock(2), of the host's file, whatever kernel the command runs on.
class Lock {
 public:
  /// cannot_open when another process has it; not_available where files cannot be locked.
  static Result<Lock> take(const std::string& path, bool shared);
  Lock(Lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Lock& operator=(Lock&&) = delete;
  ~Lock();

 private:
  explicit Lock(int fd) : fd_(fd) {}
  int fd_;
};

/// The pages of such a file, of the size that it says, and nobody who changes them meanwhile.
struct LockedPages {
  Lock lock;
  std::unique_ptr<PageFile> file;
};
Result<LockedPages> open_pages(FileArgs args, bool read_only);

/// A structured file: the allocator works on the page file.
struct Structured {
  Lock lock;
  std::unique_ptr<PageFile> file;
  page::Allocator allocator;
};
Result<Structured> open_structured(FileArgs args, bool read_only);

/// A structured file to be looked at, however damaged it is.
class Examined {
 public:
  /// Errors are those of a file that is no structured one, or that cannot be read at all.
  static Result<Examined> open(const FileArgs& args);

  /// All that is wrong with it, and all its pages.
  Result<slotted::Verified> walk(const slotted::Witness& witness) const;
  /// That walk() will tell of.
  std::uint64_t pages() const noexcept;
  PageFile& file() const noexcept { return *pages_.file; }
  /// Could the free map be read? Without it nobody can tell which pages are in use.
  bool is_mapped() const noexcept { return allocator_.has_value(); }
  /// Of the last commit; nothing when no copy of it can be read.
  const std::optional<page::Superblock>& superblock() const noexcept { return superblock_; }

 private:
  Examined(LockedPages pages, Result<page::Allocator> allocator);

  LockedPages pages_;
  Result<page::Allocator> allocator_;
  std::optional<page::Superblock> superblock_;
};

/// "3 slotted, 1 map"; "1 page", "2 pages".
std::string plural(std::uint64_t count, std::string_view what);

}  // namespace pagealloc::cli
