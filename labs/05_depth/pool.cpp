#include "impl_pread/engine.h"
#include "labs/not_started.h"

#include <algorithm>

namespace pagealloc::impl_pread {

// Without workers the operation is over when begin() returns: that is what "blocking" means.
void Engine::begin(Op& op) noexcept {
  if (workers_ == nullptr) return end(op, blocking::execute(shared(), op));
  // Task 1.
  labs::not_started("Engine::begin", op);
}

void Engine::advance(std::size_t wanted) noexcept {
  if (workers_ == nullptr) return;
  // Task 2.
  labs::not_started("Engine::advance", wanted);
}

// On the owner's thread only: what end() fills belongs to it.
void Engine::collect() noexcept {
  // Task 2.
  labs::not_started("Engine::collect");
}

// On a worker's thread, or the caller's: one operation, from queued_ to executed_.
void Engine::step() noexcept {
  // Task 1.
  labs::not_started("Engine::step");
}

}  // namespace pagealloc::impl_pread
