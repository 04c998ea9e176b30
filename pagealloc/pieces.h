// The memory of a transfer: one block, or pages that lie anywhere.
#pragma once

#include <span>

#include "pagealloc/os/kernel.h"
#include "pagealloc/page_file.h"

namespace pagealloc {

/// No more pieces than that in one call (IOV_MAX).
inline constexpr std::uint32_t pieces_max = 1024;

/// Of a scattered operation Op::frame is the first of `run` of these, a page each. They belong to
/// whoever made the operation, and are cut while it is carried out.
inline iovec* pieces_of(const Op& op) noexcept { return reinterpret_cast<iovec*>(op.frame); }

/// The memory that is left to move when `done_bytes` of the operation have been: `whole`, or the
/// rest of its pieces.
inline std::span<const iovec> left_of(const Op& op, std::size_t done_bytes, std::size_t page_bytes,
                                      iovec& whole) noexcept {
  if (!op.scattered) {
    whole = {op.frame + done_bytes, op.run * page_bytes - done_bytes};
    return {&whole, 1};
  }
  const std::span<iovec> left(pieces_of(op) + done_bytes / page_bytes,
                              op.run - done_bytes / page_bytes);
  iovec& first = left.front();  // may have been cut before: its end is what never changes
  const std::size_t first_bytes = page_bytes - done_bytes % page_bytes;
  first.iov_base = static_cast<std::byte*>(first.iov_base) + first.iov_len - first_bytes;
  first.iov_len = first_bytes;
  return left;
}

}  // namespace pagealloc
