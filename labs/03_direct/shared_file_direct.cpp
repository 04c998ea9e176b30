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
  // Task 2.
  labs::not_started("SharedFile::open_descriptor", direct);
}

Result<void> SharedFile::find_alignment() {
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
  // Task 5.
  labs::not_started("SharedFile::aligned", op);
}

Errc SharedFile::errc_of_transfer(int os_error, bool nothing_moved) const noexcept {
  // Task 7.
  labs::not_started("SharedFile::errc_of_transfer", os_error, nothing_moved);
}

}  // namespace pagealloc
