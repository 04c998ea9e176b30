#include "impl_uring/engine.h"

#include <fmt/format.h>
#include <linux/falloc.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "pagealloc/file_on.h"
#include "pagealloc/pieces.h"

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

unsigned entries_of(const Options& options) {
  return options.depth + (options.cache.bytes == 0 ? 0 : cache_transfers_max);
}

Result<std::unique_ptr<os::Ring>> make_ring(os::Kernel& kernel, std::string_view path,
                                            const Options& options) {
  // Best first. One issuer and deferred task work (6.1): completions are processed when their owner
  // asks, not by interrupting it. Cooperative (5.19): at the owner's next system call. Not the
  // first with a cache: a handle that nothing is in flight on may be closed by any thread (clause
  // 14), and it may have read ahead.
  constexpr std::array<unsigned, 3> flags_best_first = {
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_COOP_TASKRUN, 0};
  const bool cached = options.cache.bytes != 0;
  int result = -EINVAL;
  for (const unsigned flags : std::span(flags_best_first).subspan(cached ? 1 : 0)) {
    auto ring = kernel.io_uring_setup(entries_of(options), flags);
    if (ring) return std::move(*ring);
    result = ring.error();
    if (result != -EINVAL) break;
  }
  return std::unexpected(Error{.code = Errc::not_available,
                               .os_error = -result,
                               .path = std::string(path),
                               .cause = why_refused(kernel, -result)});
}

}  // namespace

Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options) {
  os::Kernel& kernel = options.kernel == nullptr ? os::linux_kernel() : *options.kernel;
  if (auto good = SharedFile::check(path, options); !good) return std::unexpected(good.error());
  // The ring comes first, so that a machine that refuses it leaves no new file behind.
  auto ring = make_ring(kernel, path, options);
  if (!ring) return std::unexpected(ring.error());
  auto shared = SharedFile::open(path, options, Direct::require);
  if (!shared) return std::unexpected(shared.error());
  constexpr int shared_fd = -1;
  return file_on(Engine::make(*shared, std::move(*ring), shared_fd));
}

Result<std::unique_ptr<IoEngine>> Engine::make(std::shared_ptr<SharedFile> shared,
                                               std::unique_ptr<os::Ring> ring, int own_fd) {
  const int fd = own_fd < 0 ? shared->fd() : own_fd;
  if (!shared->geometry().direct) blocking::advise(*shared, fd);
  if (const int result = ring->register_files({&fd, 1}); result < 0) {
    return std::unexpected(shared->error(Errc::not_available, -result,
                                         "not available here: cannot register the file"));
  }
  return std::make_unique<Engine>(std::move(shared), std::move(ring), own_fd);
}

Engine::Engine(std::shared_ptr<SharedFile> shared, std::unique_ptr<os::Ring> ring, int own_fd)
    : IoEngine(std::move(shared)), own_fd_(own_fd), ring_(std::move(ring)) {}

Engine::~Engine() {
  if (own_fd_ >= 0) (void)shared().kernel().close(own_fd_);
}

Result<std::unique_ptr<IoEngine>> Engine::another() noexcept {
  auto ring = make_ring(shared().kernel(), shared().path(), shared().options());
  if (!ring) return std::unexpected(ring.error());
  // Its syncs run beside ours, and each must hear of a failure: see sync_group.h.
  auto fd = shared().reopen();
  if (!fd) return std::unexpected(fd.error());
  auto engine = make(share(), std::move(*ring), *fd);
  if (!engine) (void)shared().kernel().close(*fd);
  return engine;
}

Result<void> Engine::prepare(std::span<const iovec> memory) {
  if (!shared().options().registered_buffers) return {};
  registered_.assign(memory.begin(), memory.end());
  const int result = ring_->register_buffers(registered_);
  if (result >= 0) return {};
  std::size_t bytes = 0;
  for (const iovec& block : memory) bytes += block.iov_len;
  return std::unexpected(shared().error(
      Errc::not_available, -result,
      fmt::format("not available here: {} bytes of registered buffers, RLIMIT_MEMLOCK is {} bytes "
                  "(see ulimit -l)",
                  bytes, shared().kernel().memlock_limit_bytes())));
}

void Engine::begin(Op& op) noexcept {
  // IORING_OP_FADVISE hands WILLNEED to a thread of the kernel's, which costs more than the call.
  if (op.verb == Verb::prefetch) return end(op, blocking::prefetch(shared(), op));
  if (op.verb == Verb::sync) {
    if (!syncing_.empty()) return waiting_syncs_.push(op);
    syncing_.push(op);
  }
  if (op.verb == Verb::write && shared().sparse()) op.done_bytes = filling;
  if (op.verb == Verb::punch) shared().mark_sparse();  // first: a write after it must not miss it
  queue(op);
}

// Fills an entry; nothing is submitted before advance(). There always is an entry: the ring has as
// many as operations may be under way, and each of those has one at most.
void Engine::queue(Op& op) noexcept {
  io_uring_sqe* sqe = ring_->get_sqe();
  if (sqe == nullptr) return end(op, {Errc::io, EBUSY});
  ++queued_;
  ++outstanding_;
  sqe->fd = 0;  // the registered file
  sqe->flags = IOSQE_FIXED_FILE;
  sqe->user_data = reinterpret_cast<std::uintptr_t>(&op);
  fill(*sqe, op);
}

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

void Engine::send() noexcept {
  if (queued_ > 0) advance(0);
}

void Engine::advance(std::size_t wanted) noexcept {
  if (!enabled_ && ring_->enable() < 0) {
    fmt::print(stderr, "{}: io_uring cannot be enabled by this thread\n", shared().path());
    std::abort();
  }
  enabled_ = true;
  const std::size_t target = ended().size() + wanted;
  do {
    const std::size_t missing = target - ended().size();
    // One completion may end several operations (syncs), so there may be fewer than are missing.
    const int submitted = ring_->enter(std::min(static_cast<unsigned>(missing), outstanding_));
    if (submitted > 0) queued_ -= static_cast<unsigned>(submitted);
    const bool retry = submitted == -EINTR || submitted == -EAGAIN || submitted == -EBUSY;
    if (submitted < 0 && !retry) {
      // What the kernel still does with the frames cannot be known any more, and an engine that
      // cannot learn the fate of its writes must stop before it acknowledges one.
      fmt::print(stderr, "{}: io_uring_enter failed: {}\n", shared().path(), describe(-submitted));
      std::abort();
    }
    collect();
  } while (ended().size() < target && outstanding_ > 0);
}

void Engine::collect() noexcept {
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
void Engine::step(Op& op, std::int32_t result) noexcept {
  --outstanding_;
  if (result == -EINTR || result == -EAGAIN) return queue(op);
  if (op.verb == Verb::sync) return step_sync(result);
  if (op.verb == Verb::write && op.done_bytes == filling) {
    if (result < 0 && result != -EOPNOTSUPP) return end(op, {errc_of_io(-result), -result});
    op.done_bytes = 0;
    return queue(op);
  }
  if (result < 0) {
    Errc code = Errc::io;
    if (op.verb == Verb::punch) {
      code = result == -EOPNOTSUPP ? Errc::not_available : errc_of_io(-result);
    } else {
      code = shared().errc_of_transfer(-result, op.done_bytes == 0);
    }
    return end(op, {code, -result});
  }
  if (op.verb == Verb::punch) return end(op, {});

  const std::uint32_t before_bytes = op.done_bytes;
  op.done_bytes += static_cast<std::uint32_t>(result);
  if (op.done_bytes == shared().bytes_of(op)) return end(op, {});
  // The rest must start aligned again: what came past the last boundary is transferred once more.
  op.done_bytes -= op.done_bytes % shared().geometry().align_bytes;
  if (op.done_bytes > before_bytes) return queue(op);
  end(op, op.verb == Verb::read ? blocking::Outcome{Errc::truncated, 0}
                                : blocking::Outcome{Errc::io, EIO});
}

void Engine::step_sync(std::int32_t result) noexcept {
  OpList served = std::exchange(syncing_, OpList());
  while (!served.empty()) end(served.pop(), {result < 0 ? Errc::io : Errc::ok, -result});
  syncing_.take(waiting_syncs_);
  if (shared().failed() == Errc::ok && !syncing_.empty()) return queue(syncing_.front());
  while (!syncing_.empty()) end(syncing_.pop(), {shared().failed(), 0});
}

}  // namespace pagealloc::impl_uring
