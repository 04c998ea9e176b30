// One sync of a file at a time, shared by all who wait for one.
//
// Linux tells of a failed write-back once for each open file description. Of two fsyncs under way
// together one is told and the other succeeds, although the lost page may be its own: so there is
// never more than one, and a failure is everybody's. Those who came while one was under way are
// served together by the next, which begins after all their writes: that is group commit.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "pagealloc/os/kernel.h"

namespace pagealloc {

/// Thread safe. Waiting goes through the kernel, because a simulated one must know who waits.
class SyncGroup {
 public:
  explicit SyncGroup(os::Kernel& kernel) : kernel_(kernel) {}

  /// Returns when a call of `sync` that began after this one was entered has ended: 0, or its
  /// -errno. After the first failure nothing is called any more and everybody gets that failure.
  template <typename Sync>
  int run(Sync sync) {
    std::unique_lock lock(mutex_);
    const std::uint64_t ticket = ++last_ticket_;
    while (failure_ == 0 && covered_ < ticket) {
      if (running_) {
        const std::uint32_t ended = ended_.load(std::memory_order_relaxed);
        lock.unlock();
        kernel_.wait(ended_, ended);
        lock.lock();
        continue;
      }
      running_ = true;
      const std::uint64_t covers = last_ticket_;
      lock.unlock();
      const int result = sync();
      lock.lock();
      running_ = false;
      if (result < 0) failure_ = result;
      covered_ = covers;
      ended_.fetch_add(1, std::memory_order_relaxed);
      // Not under the mutex: a simulated kernel may run somebody who wants it before it returns.
      lock.unlock();
      kernel_.wake_all(ended_);
      lock.lock();
    }
    return failure_;
  }

 private:
  os::Kernel& kernel_;
  std::mutex mutex_;
  std::atomic<std::uint32_t> ended_ = 0;  // calls of `sync` that have, changed under mutex_
  std::uint64_t last_ticket_ = 0;
  std::uint64_t covered_ = 0;  // every ticket up to this one has been served
  int failure_ = 0;
  bool running_ = false;
};

}  // namespace pagealloc
