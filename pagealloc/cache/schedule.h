// Where the threads of a cache meet: its lock, and the places between two steps that take none.
//
// In the product that is std::mutex and nothing, and held() cannot be told. A test that defines
// PAGEALLOC_CACHE_SCHEDULED puts its own behind both names, so that another thread comes in
// wherever one could (tests/schedule_test.cpp).
#pragma once

#ifndef PAGEALLOC_CACHE_SCHEDULED

#include <mutex>

namespace pagealloc::cache {

using Mutex = std::mutex;
inline void between_steps() noexcept {}
inline bool held(const Mutex&) noexcept { return true; }

}  // namespace pagealloc::cache

#else

namespace pagealloc::cache {

void between_steps() noexcept;

class Mutex {
 public:
  void lock() noexcept;
  bool try_lock() noexcept;
  void unlock() noexcept;
  bool held() const noexcept { return held_; }

 private:
  bool held_ = false;
};
inline bool held(const Mutex& mutex) noexcept { return mutex.held(); }

}  // namespace pagealloc::cache

#endif
