// On the simulated machine all threads of a pool are one thread of the host. One that waits for a
// lock that another of them holds while it is in the kernel would wait for ever; here it is told.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace pagealloc::labs {

/// `what` is called when a thread wants a lock that it holds already.
void set_lock_trap(std::function<void()> what);

#if defined(__SANITIZE_THREAD__)
inline constexpr bool counts_locks = false;  // the sanitizer has the function that counts
#else
inline constexpr bool counts_locks = true;
#endif
/// Nothing is lost here when a lock is missing, so locking is counted: from now on, from 0.
void count_locks();
/// How often the mutex outside of `but_for` was locked that was locked most often.
std::uint64_t most_locked(std::span<const std::byte> but_for);

}  // namespace pagealloc::labs
