#include "pagealloc/future.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

namespace pagealloc {

namespace {

// The slot that a future has which came when the table was full.
constexpr std::uint32_t no_slot = UINT32_MAX;

[[noreturn]] void die(const char* what) {
  std::fputs(what, stderr);
  std::abort();
}

}  // namespace

// --- Future -------------------------------------------------------------------------------------

Future::Future(Future&& other) noexcept
    : loop_(std::exchange(other.loop_, nullptr)), slot_(other.slot_) {}

Future::~Future() {
  if (loop_ != nullptr && slot_ != no_slot) loop_->drop(slot_);
}

bool Future::await_ready() const noexcept {
  if (loop_ == nullptr) die("pagealloc: a future was awaited twice, or after it was moved from\n");
  // LAB:BEGIN 6 Future::await_ready()
  return slot_ == no_slot || loop_->slots_[slot_].done;
  // LAB:END
}

// Only one may wait.
void Future::await_suspend(std::coroutine_handle<> waiter) noexcept {
  // LAB:BEGIN 6 Future::await_suspend(waiter)
  if (loop_->slots_[slot_].waiter) die("pagealloc: a future is awaited by two coroutines\n");
  loop_->slots_[slot_].waiter = waiter;
  // LAB:END
}

Op Future::await_resume() noexcept {
  // LAB:BEGIN 6 Future::await_resume()
  Loop& loop = *std::exchange(loop_, nullptr);
  if (slot_ == no_slot) return Op{.result = Errc::no_frames};
  const Op op = loop.slots_[slot_].op;
  loop.free_slot(slot_);
  return op;
  // LAB:END
}

// --- Loop ---------------------------------------------------------------------------------------

Future Loop::start(Verb verb, PageId page, std::byte* frame, std::uint32_t run) noexcept {
  // LAB:BEGIN 6 Loop::start(verb, page, frame, run)
  if (first_free_ == slots_.size()) {
    if (verb == Verb::write) file_.release(frame, run);  // spent whatever the result (clause 6)
    return Future(*this, no_slot);
  }
  const std::uint32_t index = first_free_;
  Slot& slot = slots_[index];
  first_free_ = slot.next_free;
  slot.op = Op{.verb = verb, .run = run, .page = page, .frame = frame, .user = index};
  slot.waiter = nullptr;
  slot.done = false;
  slot.dropped = false;
  pending_.push_back(&slot.op);
  return Future(*this, index);
  // LAB:END
}

bool Loop::step() noexcept {
  // LAB:BEGIN 6 Loop::step()
  const std::size_t taken = file_.submit(pending_);
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(taken));
  in_flight_ += static_cast<std::uint32_t>(taken);
  if (in_flight_ == 0) return false;
  std::array<Op*, 64> done;
  const std::size_t reaped = file_.reap(done, 1);
  in_flight_ -= static_cast<std::uint32_t>(reaped);
  for (std::size_t i = 0; i < reaped; ++i) finish(*done[i]);
  return true;
  // LAB:END
}

// The operation has come back.
void Loop::finish(Op& op) noexcept {
  // LAB:BEGIN 7 Loop::finish(op)
  const auto index = static_cast<std::uint32_t>(op.user);
  Slot& slot = slots_[index];
  slot.done = true;
  if (slot.dropped) {
    if (op.verb == Verb::read) file_.release(op.frame, op.run);
    free_slot(index);
  } else if (slot.waiter) {
    slot.waiter.resume();  // only from here, so waits never nest on the stack
  }
  // LAB:END
}

// Nobody will await it.
void Loop::drop(std::uint32_t index) noexcept {
  // LAB:BEGIN 7 Loop::drop(index)
  Slot& slot = slots_[index];
  slot.dropped = true;
  if (slot.done) finish(slot.op);
  // LAB:END
}

void Loop::free_slot(std::uint32_t index) noexcept {
  // LAB:BEGIN 7 Loop::free_slot(index)
  slots_[index].next_free = first_free_;
  first_free_ = index;
  // LAB:END
}

}  // namespace pagealloc
