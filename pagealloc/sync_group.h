// One sync of a file at a time, shared by all who wait for one.
//
// Linux tells of a failed write-back once for each open file description. Of two fsyncs under way
// together one is told and the other succeeds, although the lost page may be its own: so there is
// never more than one, and a failure is everybody's. Those who came while one was under way are
// served together by the next, which begins after all their writes: that is group commit.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace pagealloc {

/// Thread safe.
class SyncGroup {
 public:
  /// Returns when a call of `sync` that began after this one was entered has ended: 0, or its
  /// -errno. After the first failure nothing is called any more and everybody gets that failure.
  template <typename Sync>
  int run(Sync sync) {
    std::unique_lock lock(mutex_);
    const std::uint64_t ticket = ++last_ticket_;
    while (failure_ == 0 && covered_ < ticket) {
      if (running_) {
        ended_.wait(lock);
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
      ended_.notify_all();
    }
    return failure_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  std::uint64_t last_ticket_ = 0;
  std::uint64_t covered_ = 0;  // every ticket up to this one has been served
  int failure_ = 0;
  bool running_ = false;
};

}  // namespace pagealloc
