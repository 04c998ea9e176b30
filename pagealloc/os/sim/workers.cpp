#include "pagealloc/os/sim/workers.h"

#include "pagealloc/os/sim/inside.h"

namespace pagealloc::os::sim {

SimWorkers::SimWorkers(SimKernel& kernel, Background& work, unsigned threads)
    : kernel_(kernel), work_(work), threads_(threads), running_(threads) {
  const SimKernel::Lock lock(kernel_);
  for (unsigned i = 0; i < threads; ++i) kernel_.scheduler_.spawn([this] { this->work(); });
}

SimWorkers::~SimWorkers() {
  const SimKernel::Lock lock(kernel_);
  stopping_ = true;
  kernel_.scheduler_.nudge();
  kernel_.scheduler_.wait_until([this] { return running_ == 0; });
}

void SimWorkers::do_one() {
  ++taken_;
  work_.step();
  ++done_;
}

/// A fiber's life. The time until it has woken up is random, so who comes first is, too.
void SimWorkers::work() {
  constexpr std::uint64_t wake_ns = 2000;
  Scheduler& scheduler = kernel_.scheduler_;
  while (true) {
    scheduler.wait_until([this] { return posted_ > taken_ || stopping_; });
    scheduler.sleep(kernel_.streams_.schedule.below(wake_ns));
    if (posted_ > taken_) {
      do_one();
    } else if (stopping_) {
      break;
    }
  }
  --running_;
}

void SimWorkers::post(unsigned pieces) noexcept {
  const SimKernel::Lock lock(kernel_);
  posted_ += pieces;
  kernel_.scheduler_.nudge();
}

// Its step() enters the kernel by itself, so the lock is not held here.
bool SimWorkers::help() noexcept {
  {
    const SimKernel::Lock lock(kernel_);
    if (posted_ == taken_) return false;
    ++taken_;
  }
  work_.step();
  const SimKernel::Lock lock(kernel_);
  ++done_;
  return true;
}

// Time passes only for those who wait, so whoever asks again and again must wait a little.
void SimWorkers::poll() noexcept {
  constexpr std::uint64_t poll_ns = 500;
  if (threads_ == 0) return void(help());
  const SimKernel::Lock lock(kernel_);
  kernel_.scheduler_.sleep(poll_ns);
}

void SimWorkers::wait(std::uint64_t pieces) noexcept {
  const SimKernel::Lock lock(kernel_);
  kernel_.scheduler_.wait_until([&] { return done_ >= pieces; });
}

}  // namespace pagealloc::os::sim
