#include "labs/05_depth/tests/lock_trap.h"

#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace pagealloc::labs {

namespace {

std::function<void()>& trap() {
  static std::function<void()> what;
  return what;
}

}  // namespace

void set_lock_trap(std::function<void()> what) { trap() = std::move(what); }

}  // namespace pagealloc::labs

#if !defined(__SANITIZE_THREAD__)
// In front of the C library's, which would wait.
extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  const int result = pthread_mutex_trylock(mutex);
  if (result != EBUSY) return result;
  if (mutex->__data.__kind == PTHREAD_MUTEX_TIMED_NP && mutex->__data.__owner == gettid()) {
    if (pagealloc::labs::trap()) pagealloc::labs::trap()();
    std::fputs("a thread waits for a lock that it holds\n", stderr);
    std::abort();
  }
  timespec never{};
  never.tv_sec = 1LL << 40;
  return pthread_mutex_timedlock(mutex, &never);
}
#endif
