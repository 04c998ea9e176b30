#include "impl_uring/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace pagealloc::impl_uring {

void Engine::begin(Op& op) noexcept {
  // LAB:BEGIN 3 Engine::begin(op)
  // IORING_OP_FADVISE hands WILLNEED to a thread of the kernel's, which costs more than the call.
  if (op.verb == Verb::prefetch) return end(op, blocking::prefetch(shared(), op));
  if (op.verb == Verb::sync) {
    if (!syncing_.empty()) return waiting_syncs_.push(op);
    syncing_.push(op);
  }
  if (op.verb == Verb::write && shared().sparse()) op.done_bytes = filling;
  if (op.verb == Verb::punch) shared().mark_sparse();  // first: a write after it must not miss it
  queue(op);
  // LAB:END
}

// Fills an entry; nothing is submitted before advance(). There always is an entry: the ring has as
// many as operations may be under way, and each of those has one at most.
void Engine::queue(Op& op) noexcept {
  // LAB:BEGIN 3 Engine::queue(op)
  io_uring_sqe* sqe = ring_->get_sqe();
  if (sqe == nullptr) return end(op, {Errc::io, EBUSY});
  ++queued_;
  ++outstanding_;
  sqe->fd = 0;  // the registered file
  sqe->flags = IOSQE_FIXED_FILE;
  sqe->user_data = reinterpret_cast<std::uintptr_t>(&op);
  fill(*sqe, op);
  // LAB:END
}

void Engine::send() noexcept {
  // LAB:BEGIN 3 Engine::send()
  if (queued_ > 0) advance(0);
  // LAB:END
}

// A ring that says no, and not only for now, ends the process: what the kernel still does with the
// frames cannot be known any more, and an engine that cannot learn the fate of its writes must stop
// before it acknowledges one.
void Engine::advance(std::size_t wanted) noexcept {
  if (!enabled_ && ring_->enable() < 0) {
    fmt::print(stderr, "{}: io_uring cannot be enabled by this thread\n", shared().path());
    std::abort();
  }
  enabled_ = true;
  // LAB:BEGIN 3 Engine::advance(wanted)
  const std::size_t target = ended().size() + wanted;
  do {
    const std::size_t missing = target - ended().size();
    // One completion may end several operations (syncs), so there may be fewer than are missing.
    const int submitted = ring_->enter(std::min(static_cast<unsigned>(missing), outstanding_));
    if (submitted > 0) queued_ -= static_cast<unsigned>(submitted);
    const bool retry = submitted == -EINTR || submitted == -EAGAIN || submitted == -EBUSY;
    if (submitted < 0 && !retry) {
      fmt::print(stderr, "{}: io_uring_enter failed: {}\n", shared().path(), describe(-submitted));
      std::abort();
    }
    collect();
  } while (ended().size() < target && outstanding_ > 0);
  // LAB:END
}

void Engine::collect() noexcept {
  // LAB:BEGIN 4 Engine::collect()
  std::array<io_uring_cqe, 64> completions;
  unsigned drained = 0;
  do {
    drained = ring_->drain(completions);
    for (unsigned i = 0; i < drained; ++i) {
      step(*reinterpret_cast<Op*>(completions[i].user_data), completions[i].res);
    }
  } while (drained == completions.size());
  // LAB:END
}

// One completion: the operation ends, or its next piece begins.
void Engine::step(Op& op, std::int32_t result) noexcept {
  // LAB:BEGIN 4 Engine::step(op, result)
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
  // LAB:END
}

// The sync that was in the kernel has been answered.
void Engine::step_sync(std::int32_t result) noexcept {
  // LAB:BEGIN 5 Engine::step_sync(result)
  OpList served = std::exchange(syncing_, OpList());
  while (!served.empty()) end(served.pop(), {result < 0 ? Errc::io : Errc::ok, -result});
  syncing_.take(waiting_syncs_);
  if (shared().failed() == Errc::ok && !syncing_.empty()) return queue(syncing_.front());
  while (!syncing_.empty()) end(syncing_.pop(), {shared().failed(), 0});
  // LAB:END
}

}  // namespace pagealloc::impl_uring
