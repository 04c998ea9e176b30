// O_DIRECT: asking for it, what it asks for, doing without it, and what its failures mean.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "labs/not_started.h"
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
    // Task 2.
    labs::not_started("SharedFile::open_descriptor", direct);
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
  // Task 3.
  labs::not_started("SharedFile::find_alignment", direct_align_assumed_bytes);
}

// O_DIRECT was to be tried, was granted, and asks for more than these pages can give.
Result<void> SharedFile::give_up_direct() {
  // Task 4.
  labs::not_started("SharedFile::give_up_direct");
}

// Offsets and lengths are whole pages, and find_alignment() has seen to it that pages fit.
bool SharedFile::aligned(const Op& op) const noexcept {
  if (!geometry_.direct) return true;
  // Task 5.
  labs::not_started("SharedFile::aligned", op);
}

Errc SharedFile::errc_of_transfer(int os_error, bool nothing_moved) const noexcept {
  const bool full = errc_of_io(os_error) == Errc::disk_full;
  if (!geometry_.direct && !geometry_.write_through) {
    return full && nothing_moved ? Errc::disk_full : Errc::io;
  }
  // Task 7.
  labs::not_started("SharedFile::errc_of_transfer", full);
}

}  // namespace pagealloc
