// What an operation looks like as an entry of the ring (io_uring_enter(2)).
#include <linux/falloc.h>

#include "impl_uring/engine.h"
#include "pagealloc/pieces.h"

namespace pagealloc::impl_uring {

void Engine::fill(io_uring_sqe& sqe, const Op& op) const noexcept {
  if (op.verb == Verb::sync) {
    sqe.opcode = IORING_OP_FSYNC;
    sqe.fsync_flags = IORING_FSYNC_DATASYNC;
    return;
  }
  const bool allocates = op.verb == Verb::write && op.done_bytes == filling;
  if (allocates || op.verb == Verb::punch) {  // `addr` is the length, `len` the mode
    sqe.opcode = IORING_OP_FALLOCATE;
    sqe.off = shared().offset_of(op.page);
    sqe.addr = shared().bytes_of(op);
    sqe.len = allocates ? 0 : FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return;
  }
  const bool reads = op.verb == Verb::read;
  iovec whole;
  const auto left = left_of(op, op.done_bytes, shared().geometry().page_bytes, whole);
  sqe.off = shared().offset_of(op.page) + op.done_bytes;
  if (op.scattered) {
    sqe.opcode = reads ? IORING_OP_READV : IORING_OP_WRITEV;
    sqe.addr = reinterpret_cast<std::uintptr_t>(left.data());
    sqe.len = static_cast<std::uint32_t>(left.size());
    return;
  }
  sqe.addr = reinterpret_cast<std::uintptr_t>(whole.iov_base);
  sqe.len = static_cast<std::uint32_t>(whole.iov_len);
  sqe.opcode = reads ? IORING_OP_READ : IORING_OP_WRITE;
  if (const int buffer = buffer_of(whole); buffer >= 0) {
    sqe.opcode = reads ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED;
    sqe.buf_index = static_cast<std::uint16_t>(buffer);
  }
}

int Engine::buffer_of(const iovec& block) const noexcept {
  const auto* const first = static_cast<const std::byte*>(block.iov_base);
  for (std::size_t i = 0; i < registered_.size(); ++i) {
    const auto* const begin = static_cast<const std::byte*>(registered_[i].iov_base);
    const std::byte* const end = begin + registered_[i].iov_len;
    if (first >= begin && first + block.iov_len <= end) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace pagealloc::impl_uring
