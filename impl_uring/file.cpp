#include "impl_uring/file.h"

#include <fmt/format.h>
#include <linux/falloc.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace pagealloc::impl_uring {

namespace {

// Op::done_bytes of a write whose range is being allocated first. No transfer is that long.
constexpr std::uint32_t filling = UINT32_MAX;

std::string why_refused(os::Kernel& kernel, int os_error) {
  if (os_error == ENOSYS) return "not available here: this kernel has no io_uring";
  if (os_error != EPERM) return "not available here: io_uring_setup failed";
  std::array<char, 8> value{};
  const int fd = kernel.open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC, 0);
  if (fd >= 0) {
    const iovec iov{value.data(), value.size() - 1};
    if (kernel.preadv(fd, &iov, 1, 0) <= 0) value[0] = '0';
    (void)kernel.close(fd);
  }
  if (value[0] == '1' || value[0] == '2') {
    return fmt::format("not available here: io_uring is switched off, kernel.io_uring_disabled={}",
                       value[0]);
  }
  return "not available here: io_uring is refused, as a container's seccomp filter does";
}

Result<std::unique_ptr<os::Ring>> make_ring(os::Kernel& kernel, std::string_view path,
                                            unsigned entries) {
  // Best first. One issuer and deferred task work (6.1): completions are processed when their owner
  // asks, not by interrupting it. Cooperative (5.19): at the owner's next system call.
  constexpr std::array<unsigned, 3> flags_best_first = {
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_COOP_TASKRUN, 0};
  int result = -EINVAL;
  for (const unsigned flags : flags_best_first) {
    auto ring = kernel.io_uring_setup(entries, flags);
    if (ring) return std::move(*ring);
    result = ring.error();
    if (result != -EINVAL) break;
  }
  return std::unexpected(Error{.code = Errc::not_available,
                               .os_error = -result,
                               .path = std::string(path),
                               .cause = why_refused(kernel, -result)});
}

Result<void> register_all(SharedFile& shared, os::Ring& ring, const FrameArena& arena, int fd) {
  if (const int result = ring.register_files({&fd, 1}); result < 0) {
    return std::unexpected(
        shared.error(Errc::not_available, -result, "not available here: cannot register the file"));
  }
  if (!shared.options().registered_buffers) return {};
  const iovec memory{arena.memory().data(), arena.memory().size()};
  if (const int result = ring.register_buffers({&memory, 1}); result < 0) {
    return std::unexpected(shared.error(
        Errc::not_available, -result,
        fmt::format("not available here: {} bytes of registered buffers, RLIMIT_MEMLOCK is {} "
                    "bytes (see ulimit -l)",
                    arena.memory().size(), shared.kernel().memlock_limit_bytes())));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options) {
  os::Kernel& kernel = options.kernel == nullptr ? os::linux_kernel() : *options.kernel;
  if (auto good = SharedFile::check(path, options); !good) return std::unexpected(good.error());
  // The ring comes first, so that a machine that refuses it leaves no new file behind.
  auto ring = make_ring(kernel, path, options.depth);
  if (!ring) return std::unexpected(ring.error());
  auto shared = SharedFile::open(path, options, Direct::require);
  if (!shared) return std::unexpected(shared.error());
  constexpr int shared_fd = -1;
  auto file = File::make(*shared, std::move(*ring), shared_fd);
  if (file) (*shared)->keep();
  return file;
}

Result<std::unique_ptr<PageFile>> File::make(std::shared_ptr<SharedFile> shared,
                                             std::unique_ptr<os::Ring> ring, int own_fd) {
  auto arena = FrameArena::make(shared->kernel(), shared->geometry().frames,
                                shared->geometry().page_bytes, shared->path());
  if (!arena) return std::unexpected(arena.error());
  const int fd = own_fd < 0 ? shared->fd() : own_fd;
  if (!shared->geometry().direct) blocking::advise(*shared, fd);
  if (auto good = register_all(*shared, *ring, *arena, fd); !good) {
    return std::unexpected(good.error());
  }
  return std::make_unique<File>(std::move(shared), std::move(*arena), std::move(ring), own_fd);
}

File::File(std::shared_ptr<SharedFile> shared, FrameArena arena, std::unique_ptr<os::Ring> ring,
           int own_fd)
    : Handle(std::move(shared), std::move(arena)),
      registered_buffers_(this->shared().options().registered_buffers),
      own_fd_(own_fd),
      ring_(std::move(ring)) {}

File::~File() {
  drain();
  if (own_fd_ >= 0) (void)shared().kernel().close(own_fd_);
}

Result<std::unique_ptr<PageFile>> File::another() noexcept {
  auto ring = make_ring(shared().kernel(), path(), geometry().depth_max);
  if (!ring) return std::unexpected(ring.error());
  // Its syncs run beside ours, and each must hear of a failure: see sync_group.h.
  auto fd = shared().reopen();
  if (!fd) return std::unexpected(fd.error());
  auto file = make(share(), std::move(*ring), *fd);
  if (!file) (void)shared().kernel().close(*fd);
  return file;
}

std::byte* File::frame_for(PageId, std::uint32_t run) noexcept { return arena().take(run); }

void File::read(Op& op) noexcept {
  if (lend(op)) begin(op);
}

void File::write(Op& op) noexcept {
  if (shared().sparse()) op.done_bytes = filling;
  begin(op);
}

void File::sync(Op& op) noexcept {
  if (!syncing_.empty()) return waiting_syncs_.push(op);
  syncing_.push(op);
  begin(op);
}

void File::punch(Op& op) noexcept {
  shared().mark_sparse();  // first: a write that follows must not miss it
  begin(op);
}

// Fills an entry; nothing is submitted before reap(). There always is an entry: the ring has as
// many as operations may be in flight, and each of those has one at most.
void File::begin(Op& op) noexcept {
  io_uring_sqe* sqe = ring_->get_sqe();
  if (sqe == nullptr) return finish(op, {Errc::io, EBUSY});
  ++queued_;
  ++outstanding_;
  const bool fill = op.verb == Verb::write && op.done_bytes == filling;
  const bool fixed = registered_buffers_ && arena().owns(op.frame);
  const std::uint64_t done_bytes = fill ? 0 : op.done_bytes;
  sqe->fd = 0;  // the registered file
  sqe->flags = IOSQE_FIXED_FILE;
  sqe->user_data = reinterpret_cast<std::uintptr_t>(&op);
  if (op.verb == Verb::sync) {
    sqe->opcode = IORING_OP_FSYNC;
    sqe->fsync_flags = IORING_FSYNC_DATASYNC;
    return;
  }
  sqe->off = shared().offset_of(op.page) + done_bytes;
  if (fill || op.verb == Verb::punch) {  // fallocate: `addr` is the length, `len` the mode
    sqe->opcode = IORING_OP_FALLOCATE;
    sqe->addr = shared().bytes_of(op);
    sqe->len = fill ? 0 : FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return;
  }
  sqe->addr = reinterpret_cast<std::uintptr_t>(op.frame) + done_bytes;
  sqe->len = static_cast<std::uint32_t>(shared().bytes_of(op) - done_bytes);
  if (op.verb == Verb::read) {
    sqe->opcode = fixed ? IORING_OP_READ_FIXED : IORING_OP_READ;
  } else {
    sqe->opcode = fixed ? IORING_OP_WRITE_FIXED : IORING_OP_WRITE;
  }
}

void File::advance(std::size_t wanted) noexcept {
  if (!enabled_ && ring_->enable() < 0) {
    fmt::print(stderr, "{}: io_uring cannot be enabled by this thread\n", path());
    std::abort();
  }
  enabled_ = true;
  do {
    const std::size_t missing = wanted > done() ? wanted - done() : 0;
    if (queued_ == 0 && missing == 0 && wanted > 0) return;  // enough is done, nothing to submit
    // One completion may end several operations (syncs), so there may be fewer than are missing.
    const int submitted = ring_->enter(std::min(static_cast<unsigned>(missing), outstanding_));
    if (submitted > 0) queued_ -= static_cast<unsigned>(submitted);
    const bool retry = submitted == -EINTR || submitted == -EAGAIN || submitted == -EBUSY;
    if (submitted < 0 && !retry) {
      // What the kernel still does with the frames cannot be known any more, and an engine that
      // cannot learn the fate of its writes must stop before it acknowledges one.
      fmt::print(stderr, "{}: io_uring_enter failed: {}\n", path(), describe(-submitted));
      std::abort();
    }
    collect();
  } while (done() < wanted);
}

void File::collect() noexcept {
  std::array<io_uring_cqe, 64> completions;
  unsigned drained = 0;
  do {
    drained = ring_->drain(completions);
    for (unsigned i = 0; i < drained; ++i) {
      step(*reinterpret_cast<Op*>(completions[i].user_data), completions[i].res);
    }
  } while (drained == completions.size());
}

// One completion: the operation ends, or its next piece begins.
void File::step(Op& op, std::int32_t result) noexcept {
  --outstanding_;
  if (result == -EINTR || result == -EAGAIN) return begin(op);
  if (op.verb == Verb::write && op.done_bytes == filling) {
    if (result < 0 && result != -EOPNOTSUPP) return finish(op, {errc_of_io(-result), -result});
    op.done_bytes = 0;
    return begin(op);
  }
  if (op.verb == Verb::sync) {
    OpList served = std::exchange(syncing_, OpList());
    while (!served.empty()) finish(served.pop(), {result < 0 ? Errc::io : Errc::ok, -result});
    syncing_.take(waiting_syncs_);
    if (shared().failed() == Errc::ok && !syncing_.empty()) return begin(syncing_.front());
    while (!syncing_.empty()) finish(syncing_.pop(), {shared().failed(), 0});
    return;
  }
  if (result < 0) {
    Errc code = Errc::io;
    if (op.verb == Verb::punch) {
      code = result == -EOPNOTSUPP ? Errc::not_available : errc_of_io(-result);
    } else {
      code = shared().errc_of_transfer(-result, op.done_bytes == 0);
    }
    return finish(op, {code, -result});
  }
  if (op.verb == Verb::punch) return finish(op, {});

  const std::uint32_t before_bytes = op.done_bytes;
  op.done_bytes += static_cast<std::uint32_t>(result);
  if (op.done_bytes == shared().bytes_of(op)) return finish(op, {});
  // The rest must start aligned again: what came past the last boundary is transferred once more.
  op.done_bytes -= op.done_bytes % geometry().align_bytes;
  if (op.done_bytes > before_bytes) return begin(op);
  finish(op, op.verb == Verb::read ? blocking::Outcome{Errc::truncated, 0}
                                   : blocking::Outcome{Errc::io, EIO});
}

}  // namespace pagealloc::impl_uring
