#include "pagealloc/os/sim/ring.h"

#include <algorithm>
#include <cerrno>

#include "pagealloc/os/sim/inside.h"

namespace pagealloc::os::sim {

SimRing::~SimRing() {
  const std::lock_guard lock(kernel_.mutex_);
  kernel_.scheduler_.wait_until([this] { return under_way_ == 0; });
}

int SimRing::register_buffers(std::span<const iovec> buffers) noexcept {
  SimKernel::Inside inside(kernel_, Call::io_uring_register);
  std::uint64_t bytes = 0;
  for (const iovec& buffer : buffers) bytes += buffer.iov_len;
  if (bytes > kernel_.machine_.memlock_bytes) return inside.result(-ENOMEM);
  buffers_.assign(buffers.begin(), buffers.end());
  return inside.result(0);
}

int SimRing::register_files(std::span<const int> files) noexcept {
  SimKernel::Inside inside(kernel_, Call::io_uring_register);
  files_.assign(files.begin(), files.end());
  return inside.result(0);
}

int SimRing::enable() noexcept {
  SimKernel::Inside inside(kernel_, Call::io_uring_register);
  enabled_ = true;
  return inside.result(0);
}

io_uring_sqe* SimRing::get_sqe() noexcept {
  if (queue_.size() == entries_) return nullptr;
  return &queue_.emplace_back();
}

int SimRing::enter(unsigned wait_for) noexcept {
  SimKernel::Inside inside(kernel_, Call::io_uring_enter);
  if (!enabled_) return inside.result(-EBADFD);
  const auto submitted = static_cast<int>(queue_.size());
  for (const io_uring_sqe& sqe : queue_) begin(sqe);
  queue_.clear();
  constexpr std::uint64_t call_ns = 300;  // also of one that waits for nothing, or it never would
  kernel_.scheduler_.sleep(call_ns);
  const std::size_t wanted = std::min<std::size_t>(wait_for, completions_.size() + under_way_);
  kernel_.scheduler_.wait_until([&] { return completions_.size() >= wanted; });
  return inside.result(submitted);
}

unsigned SimRing::drain(std::span<io_uring_cqe> done) noexcept {
  unsigned drained = 0;
  while (drained < done.size() && !completions_.empty()) {
    const io_uring_cqe& cqe = completions_.front();
    done[drained].user_data = cqe.user_data;
    done[drained].res = cqe.res;
    done[drained].flags = cqe.flags;
    ++drained;
    completions_.pop_front();
  }
  return drained;
}

void SimRing::begin(const io_uring_sqe& sqe) {
  const SimKernel::Started started = start(sqe);
  ++under_way_;
  const std::uint64_t user_data = sqe.user_data;
  kernel_.scheduler_.at(started.done_ns, [this, user_data, started] {
    if (started.finish) started.finish();
    --under_way_;
    io_uring_cqe cqe{};
    cqe.user_data = user_data;
    cqe.res = static_cast<std::int32_t>(started.result);
    completions_.push_back(cqe);
  });
}

SimKernel::Started SimRing::start(const io_uring_sqe& sqe) {
  const std::uint64_t now_ns = kernel_.scheduler_.now_ns();
  const bool by_index = (sqe.flags & IOSQE_FIXED_FILE) != 0;
  const auto index = static_cast<std::size_t>(sqe.fd);
  if (by_index && index >= files_.size()) return {-EBADF, now_ns};
  SimKernel::OpenFile* file = kernel_.file_of(by_index ? files_[index] : sqe.fd);
  if (file == nullptr) return {-EBADF, now_ns};
  const iovec iov{reinterpret_cast<void*>(sqe.addr), sqe.len};
  switch (sqe.opcode) {
    case IORING_OP_READ_FIXED:
    case IORING_OP_WRITE_FIXED:
      if (!registered(iov.iov_base, iov.iov_len)) return {-EFAULT, now_ns};
      break;
    case IORING_OP_FSYNC:
      // As Linux does, which taught us that fio's syncs were refused.
      if (sqe.addr != 0 || sqe.buf_index != 0) return {-EINVAL, now_ns};
      return kernel_.start_sync(*file, {});
    case IORING_OP_FALLOCATE:
      return kernel_.start_fallocate(*file, static_cast<int>(sqe.len), sqe.off, sqe.addr);
    default:
      break;
  }
  if (sqe.opcode == IORING_OP_READ || sqe.opcode == IORING_OP_READ_FIXED) {
    return kernel_.start_read(*file, &iov, 1, sqe.off);
  }
  if (sqe.opcode == IORING_OP_WRITE || sqe.opcode == IORING_OP_WRITE_FIXED) {
    return kernel_.start_write(*file, &iov, 1, sqe.off);
  }
  return {-EINVAL, now_ns};
}

bool SimRing::registered(const void* address, std::uint64_t bytes) const {
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  return std::ranges::any_of(buffers_, [&](const iovec& buffer) {
    const auto first = reinterpret_cast<std::uintptr_t>(buffer.iov_base);
    return begin >= first && begin + bytes <= first + buffer.iov_len;
  });
}

}  // namespace pagealloc::os::sim
