#include "impl_pread/engine.h"

#include <algorithm>

namespace pagealloc::impl_pread {

// Without workers the operation is over when begin() returns: that is what "blocking" means.
void Engine::begin(Op& op) noexcept {
  if (workers_ == nullptr) return end(op, blocking::execute(shared(), op));
  // LAB:BEGIN 1 Engine::begin(op)
  {
    std::lock_guard lock(mutex_);
    queued_.push(op);
  }
  ++begun_;
  workers_->post(1);
  // LAB:END
}

void Engine::advance(std::size_t wanted) noexcept {
  if (workers_ == nullptr) return;
  // LAB:BEGIN 2 Engine::advance(wanted)
  if (wanted == 0) workers_->poll();
  const std::uint64_t target = std::min(collected_ + wanted, begun_);
  collect();
  while (collected_ < target) {
    // Instead of sleeping until a worker is done, do a worker's work: waking a thread up costs as
    // much as a read from a fast disk, and with the caller asleep each operation took two.
    if (!workers_->help()) workers_->wait(target);
    collect();
  }
  // LAB:END
}

// On the owner's thread only: what end() fills belongs to it.
void Engine::collect() noexcept {
  // LAB:BEGIN 2 Engine::collect()
  OpList executed;
  {
    std::lock_guard lock(mutex_);
    executed.take(executed_);
  }
  collected_ += executed.size();
  while (!executed.empty()) {
    Op& op = executed.pop();
    end(op, {op.result, op.os_error});
  }
  // LAB:END
}

// On a worker's thread, or the caller's: one operation, from queued_ to executed_.
void Engine::step() noexcept {
  // LAB:BEGIN 1 Engine::step()
  Op* op = nullptr;
  {
    std::lock_guard lock(mutex_);
    op = &queued_.pop();
  }
  const blocking::Outcome outcome = blocking::execute(shared(), *op);
  op->result = outcome.result;
  op->os_error = outcome.os_error;
  std::lock_guard lock(mutex_);
  executed_.push(*op);
  // LAB:END
}

}  // namespace pagealloc::impl_pread
