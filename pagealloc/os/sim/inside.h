// What every call of the simulated kernel has in common: the lock, the counting, the trace, the
// point where the power may go.
#pragma once

#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::os::sim {

/// The kernel's lock, which a fiber has already: it runs only while somebody else is inside and
/// waits.
class SimKernel::Lock {
 public:
  explicit Lock(const SimKernel& kernel)
      : mutex_(Fiber::current() == nullptr ? &kernel.mutex_ : nullptr) {
    if (mutex_ != nullptr) mutex_->lock();
  }
  ~Lock() {
    if (mutex_ != nullptr) mutex_->unlock();
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  std::mutex* mutex_;
};

/// Lives as long as the call.
class SimKernel::Inside {
 public:
  Inside(SimKernel& kernel, Call call, std::string_view path = {});
  ~Inside();
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

  /// What the trace shall tell of this call.
  void about(const Inode& inode, std::uint64_t offset, std::uint64_t bytes);
  /// Does this fault happen now? Says so in the log.
  bool fails(Fault fault) { return kernel_.fails(fault); }
  template <typename Result>
  Result result(Result value) {
    event_.result = static_cast<std::int64_t>(value);
    return value;
  }

 private:
  SimKernel& kernel_;
  Lock lock_;
  Event event_;
};

}  // namespace pagealloc::os::sim
