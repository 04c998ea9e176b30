// O_DIRECT: asking for it, what it asks for, doing without it, and what its failures mean.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "pagealloc/shared_file.h"

namespace pagealloc {

namespace {

constexpr std::uint32_t direct_align_assumed_bytes = 4096;  // where statx does not tell

}  // namespace

Result<void> SharedFile::open_descriptor(Direct direct) {
  const int flags =
      O_CLOEXEC | (options_.read_only ? O_RDONLY : O_RDWR) | (options_.write_through ? O_DSYNC : 0);
  fd_ = -EINVAL;
  if (direct != Direct::off) {
    // LAB:BEGIN 2 SharedFile::open_descriptor(direct)
    fd_ = open_or_create(flags | O_DIRECT);
    geometry_.direct = fd_ >= 0;
    if (fd_ == -EINVAL && direct == Direct::require) {
      return std::unexpected(
          error(Errc::not_available, 0, "not available here: this file system refuses O_DIRECT"));
    }
    // LAB:END
  }
  if (fd_ == -EINVAL) fd_ = open_or_create(flags);
  if (fd_ < 0) {
    const int os_error = -fd_;
    return std::unexpected(error(errc_of_open(os_error), os_error,
                                 options_.read_only ? "cannot open" : "cannot open for writing"));
  }
  return {};
}

Result<void> SharedFile::find_alignment() {
  if (!geometry_.direct) return {};
  // LAB:BEGIN 3 SharedFile::find_alignment(direct_align_assumed_bytes)
  struct statx now{};
  const int result = kernel_.statx(fd_, "", AT_EMPTY_PATH, STATX_DIOALIGN, &now);
  if (result < 0) return std::unexpected(error(Errc::io, -result, "statx failed"));
  std::uint32_t memory_align = direct_align_assumed_bytes;
  std::uint32_t offset_align = direct_align_assumed_bytes;
  const bool told = (now.stx_mask & STATX_DIOALIGN) != 0;
  if (told) {
    memory_align = now.stx_dio_mem_align;
    offset_align = now.stx_dio_offset_align;
  }
  if (offset_align == 0) {
    return std::unexpected(error(Errc::not_available, 0,
                                 "not available here: this file cannot be read with O_DIRECT"));
  }
  const std::uint32_t align = std::max(memory_align, offset_align);
  if (options_.page_bytes % align != 0) {
    return std::unexpected(error(
        Errc::not_available, 0,
        fmt::format("not available here: pages of {} bytes with O_DIRECT, {} {}-byte blocks",
                    options_.page_bytes, told ? "this file system asks for" : "assuming", align)));
  }
  geometry_.align_bytes = align;
  return {};
  // LAB:END
}

// O_DIRECT was to be tried, was granted, and asks for more than these pages can give.
Result<void> SharedFile::give_up_direct() {
  // LAB:BEGIN 4 SharedFile::give_up_direct()
  (void)kernel_.close(fd_);
  geometry_.direct = false;
  fd_ = -1;
  return open_descriptor(Direct::off);
  // LAB:END
}

// Offsets and lengths are whole pages, and find_alignment() has seen to it that pages fit.
bool SharedFile::aligned(const Op& op) const noexcept {
  if (!geometry_.direct) return true;
  // LAB:BEGIN 5 SharedFile::aligned(op)
  return reinterpret_cast<std::uintptr_t>(op.frame) % geometry_.align_bytes == 0;
  // LAB:END
}

Errc SharedFile::errc_of_transfer(int os_error, bool nothing_moved) const noexcept {
  const bool full = errc_of_io(os_error) == Errc::disk_full;
  if (!geometry_.direct && !geometry_.write_through) {
    return full && nothing_moved ? Errc::disk_full : Errc::io;
  }
  // LAB:BEGIN 7 SharedFile::errc_of_transfer(full)
  // It may have reached the medium in part, or the cache and not the medium.
  return Errc::io;
  // LAB:END
}

}  // namespace pagealloc
