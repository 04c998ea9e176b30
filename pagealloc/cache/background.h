// Writes dirty pages back beside those who make them, so that they need not wait for it.
#pragma once

#include <atomic>
#include <memory>

#include "pagealloc/cache/write_back.h"

namespace pagealloc::cache {

/// Its thread belongs to the kernel, which may be a simulated one.
class Background final : private os::Background {
 public:
  /// `low`: so many dirty pages may stay.
  static Result<std::unique_ptr<Background>> make(Cache& cache, std::unique_ptr<IoEngine> engine,
                                                  std::uint32_t low);
  /// There are many dirty pages. Thread safe; asking again while it works costs nothing.
  void nudge() noexcept {
    if (!asked_.exchange(true, std::memory_order_acq_rel)) workers_->post(1);
  }

 private:
  Background(Cache& cache, std::unique_ptr<IoEngine> engine, std::uint32_t low)
      : cache_(cache), low_(low), engine_(std::move(engine)), write_back_(cache, *engine_) {}
  void step() noexcept override;

  Cache& cache_;
  std::uint32_t low_;
  std::atomic<bool> asked_ = false;
  std::unique_ptr<IoEngine> engine_;
  WriteBack write_back_;
  std::unique_ptr<os::Workers> workers_;  // last: gone before what step() uses
};

}  // namespace pagealloc::cache
