#include "impl_uring/engine.h"
#include "labs/not_started.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace pagealloc::impl_uring {

void Engine::begin(Op& op) noexcept {
  // Task 3.
  labs::not_started("Engine::begin", op);
}

// Fills an entry; nothing is submitted before advance(). There always is an entry: the ring has as
// many as operations may be under way, and each of those has one at most.
void Engine::queue(Op& op) noexcept {
  // Task 3.
  labs::not_started("Engine::queue", op);
}

void Engine::send() noexcept {
  // Task 3.
  labs::not_started("Engine::send");
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
  // Task 3.
  labs::not_started("Engine::advance", wanted);
}

void Engine::collect() noexcept {
  // Task 4.
  labs::not_started("Engine::collect");
}

// One completion: the operation ends, or its next piece begins.
void Engine::step(Op& op, std::int32_t result) noexcept {
  // Task 4.
  labs::not_started("Engine::step", op, result);
}

// The sync that was in the kernel has been answered.
void Engine::step_sync(std::int32_t result) noexcept {
  // Task 5.
  labs::not_started("Engine::step_sync", result);
}

}  // namespace pagealloc::impl_uring
