// Where the threads of a cache meet: its lock, and the places between two steps that take none.
//
// In the product that is std::mutex and nothing. A test that defines PAGEALLOC_CACHE_SCHEDULED puts
// its own behind both names, so that another thread comes in wherever one could
// (tests/schedule_test.cpp).
#pragma once

#ifndef PAGEALLOC_CACHE_SCHEDULED

#include <mutex>

namespace pagealloc::cache {

using Mutex = std::mutex;
inline void between_steps() noexcept {}

}  // namespace pagealloc::cache

#else

namespace pagealloc::cache {

void between_steps() noexcept;

class Mutex {
 public:
  void lock() noexcept;
  bool try_lock() noexcept;
  void unlock() noexcept;

 private:
  bool held_ = false;
};

}  // namespace pagealloc::cache

#endif
