#include "pagealloc/future.h"
#include "labs/not_started.h"

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
  // Task 6.
  labs::not_started("Future::await_ready");
}

// Only one may wait.
void Future::await_suspend(std::coroutine_handle<> waiter) noexcept {
  // Task 6.
  labs::not_started("Future::await_suspend", waiter);
}

Op Future::await_resume() noexcept {
  // Task 6.
  labs::not_started("Future::await_resume");
}

// --- Loop ---------------------------------------------------------------------------------------

Future Loop::start(Verb verb, PageId page, std::byte* frame, std::uint32_t run) noexcept {
  // Task 6.
  labs::not_started("Loop::start", verb, page, frame, run);
}

bool Loop::step() noexcept {
  // Task 6.
  labs::not_started("Loop::step");
}

// The operation has come back.
void Loop::finish(Op& op) noexcept {
  // Task 7.
  labs::not_started("Loop::finish", op);
}

// Nobody will await it.
void Loop::drop(std::uint32_t index) noexcept {
  // Task 7.
  labs::not_started("Loop::drop", index);
}

void Loop::free_slot(std::uint32_t index) noexcept {
  // Task 7.
  labs::not_started("Loop::free_slot", index);
}

}  // namespace pagealloc
