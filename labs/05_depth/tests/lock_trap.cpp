#include "labs/05_depth/tests/lock_trap.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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

struct Locked {
  const std::byte* mutex = nullptr;
  std::uint64_t times = 0;
};

// An array: who counts must neither lock nor allocate. A place without a mutex is the first free.
std::array<Locked, 64> locked;
bool counting = false;

[[maybe_unused]] void count(const void* mutex) {
  const auto* const address = static_cast<const std::byte*>(mutex);
  auto* const place = std::ranges::find_if(
      locked, [&](const Locked& each) { return each.mutex == address || each.mutex == nullptr; });
  if (place == locked.end()) return;
  place->mutex = address;
  ++place->times;
}

}  // namespace

void set_lock_trap(std::function<void()> what) { trap() = std::move(what); }

void count_locks() {
  locked.fill({});
  counting = true;
}

std::uint64_t most_locked(std::span<const std::byte> but_for) {
  counting = false;
  std::uint64_t most = 0;
  for (const Locked& each : locked) {
    const bool inside =
        each.mutex >= but_for.data() && each.mutex < but_for.data() + but_for.size();
    if (!inside) most = std::max(most, each.times);
  }
  return most;
}

}  // namespace pagealloc::labs

#if !defined(__SANITIZE_THREAD__)
// In front of the C library's, which would wait.
extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  if (pagealloc::labs::counting) pagealloc::labs::count(mutex);
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
