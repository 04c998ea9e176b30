#include "pagealloc/cli/structured.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include "pagealloc/os/host.h"
#include "pagealloc/os/kernel.h"
#include "pagealloc/page/checked.h"
#include "pagealloc/page/superblock.h"

namespace pagealloc::cli {

void add_structured(CLI::App& command, FileArgs& args) {
  add_path(command, args.path, "a file of structured pages (pagealloc format)");
}

Result<std::uint32_t> find_page_bytes(const FileArgs& args) {
  FileArgs smallest = args;
  smallest.impl = "pread";
  smallest.page_bytes = page_bytes_min;
  auto options = options_of(smallest);
  if (!options) return std::unexpected(options.error());
  options->read_only = true;
  auto file = pagealloc::open(args.path, *options);
  if (!file) return std::unexpected(file.error());
  std::optional<std::uint32_t> said;
  // A copy is believed whose checksum is right at the size that it says; else the first that says
  // anything, so that what is wrong with it can be told.
  for (std::uint64_t copy = 0; copy < page::superblocks; ++copy) {
    for (std::uint32_t page_bytes = page_bytes_min; page_bytes <= page_bytes_max; page_bytes *= 2) {
      const std::uint32_t run = page_bytes / page_bytes_min;
      if ((copy + 1) * run > (*file)->pages()) break;
      const auto bytes = page::read_raw(**file, copy * run, run);
      if (!bytes) continue;
      const auto stated = page::page_bytes_of(bytes->bytes());
      if (stated == page_bytes && page::check(bytes->bytes(), copy, page_bytes)) return page_bytes;
      if (stated && (copy == 0 || stated == page_bytes) && !said) said = stated;
    }
  }
  if (said) return *said;
  return std::unexpected(error_at(
      args.path, Errc::not_page_file,
      "no superblock in it: this is no file of structured pages (pagealloc format makes one)"));
}

Result<Lock> Lock::take(const std::string& path, bool shared) {
  os::Kernel& host = os::linux_kernel();
  const int fd = host.open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
  if (fd < 0) return std::unexpected(error_at(path, errc_of_open(-fd), "cannot open", -fd));
  Lock lock(fd);
  const int result = os::flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB);
  if (result == 0) return lock;
  if (result != -EWOULDBLOCK) {
    return std::unexpected(error_at(path, Errc::not_available,
                                    "not available here: the file cannot be locked", -result));
  }
  return std::unexpected(error_at(path, Errc::cannot_open,
                                  shared ? "another process is writing to it"
                                         : "another process is reading it or writing to it"));
}

Lock::~Lock() {
  if (fd_ >= 0) (void)os::linux_kernel().close(fd_);
}

Result<LockedPages> open_pages(FileArgs args, bool read_only) {
  const auto page_bytes = find_page_bytes(args);
  if (!page_bytes) return std::unexpected(page_bytes.error());
  auto lock = Lock::take(args.path, read_only);
  if (!lock) return std::unexpected(lock.error());
  args.page_bytes = *page_bytes;
  auto options = options_of(args);
  if (!options) return std::unexpected(options.error());
  options->read_only = read_only;
  auto file = pagealloc::open(args.path, *options);
  if (!file) return std::unexpected(file.error());
  return LockedPages{std::move(*lock), std::move(*file)};
}

Result<Structured> open_structured(FileArgs args, bool read_only) {
  auto pages = open_pages(std::move(args), read_only);
  if (!pages) return std::unexpected(pages.error());
  auto allocator = page::Allocator::open(*pages->file);
  if (!allocator) return std::unexpected(allocator.error());
  return Structured{std::move(pages->lock), std::move(pages->file), std::move(*allocator)};
}

Result<Examined> Examined::open(const FileArgs& args) {
  auto pages = open_pages(args, true);
  if (!pages) return std::unexpected(pages.error());
  auto allocator = page::Allocator::open(*pages->file);
  if (!allocator) {
    const Errc code = allocator.error().code;
    if (code != Errc::damaged && code != Errc::truncated && code != Errc::io) {
      return std::unexpected(allocator.error());
    }
  }
  return Examined(std::move(*pages), std::move(allocator));
}

Examined::Examined(LockedPages pages, Result<page::Allocator> allocator)
    : pages_(std::move(pages)), allocator_(std::move(allocator)) {
  const auto last =
      allocator_ ? allocator_->superblock() : page::Allocator::last_commit(*pages_.file);
  if (last) superblock_ = *last;
}

Result<slotted::Verified> Examined::walk(const slotted::Witness& witness) const {
  return allocator_ ? slotted::verify(*allocator_, witness)
                    : slotted::verify_unmapped(file(), allocator_.error(), witness);
}

std::uint64_t Examined::pages() const noexcept {
  return allocator_ ? allocator_->pages() : file().pages();
}

std::string plural(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace pagealloc::cli
