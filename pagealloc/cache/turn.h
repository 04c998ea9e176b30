// One at a time, and who waits tells the kernel: a simulated one must know.
#pragma once

#include <atomic>
#include <cstdint>

#include "pagealloc/os/kernel.h"

namespace pagealloc::cache {

/// First come, first served: who writes all the time must not keep out who waits for one sync.
/// Thread safe. Unlike a mutex it may be held while the kernel is called.
class Turn {
 public:
  explicit Turn(os::Kernel& kernel) : kernel_(kernel) {}

  /// Waits until the turn is the caller's. Whoever has it is inside a call that ends by itself.
  void take() noexcept {
    const std::uint32_t ticket = next_.fetch_add(1, std::memory_order_relaxed);
    for (std::uint32_t now = serving_.load(std::memory_order_acquire); now != ticket;
         now = serving_.load(std::memory_order_acquire)) {
      kernel_.wait(serving_, now);
    }
  }

  void give_back() noexcept {
    serving_.fetch_add(1, std::memory_order_release);
    kernel_.wake_all(serving_);
  }

 private:
  os::Kernel& kernel_;
  std::atomic<std::uint32_t> next_ = 0;     // the ticket of who comes next
  std::atomic<std::uint32_t> serving_ = 0;  // the ticket of who has the turn, or will
};

}  // namespace pagealloc::cache
