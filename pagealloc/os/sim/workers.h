// A pool's threads on the simulated machine: fibers, which change places where they enter the
// kernel.
#pragma once

#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::os::sim {

class SimWorkers final : public Workers {
 public:
  SimWorkers(SimKernel& kernel, Background& work, unsigned threads);
  ~SimWorkers() override;
  void post(unsigned pieces) noexcept override;
  bool help() noexcept override;
  void wait(std::uint64_t pieces) noexcept override;
  void poll() noexcept override;

 private:
  void work();
  void do_one();
  SimKernel& kernel_;
  Background& work_;
  std::uint64_t posted_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t done_ = 0;
  unsigned threads_;
  unsigned running_;
  bool stopping_ = false;
};

}  // namespace pagealloc::os::sim
