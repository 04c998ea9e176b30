// Page files through preadv and pwritev: the baseline. With threads, a pool executes operations.
#pragma once

#include <mutex>
#include <string_view>

#include "pagealloc/io_engine.h"

namespace pagealloc::impl_pread {

/// Opens `path` through the page cache. Uses Options::threads; refuses Options::direct == require.
Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options);

class Engine final : public IoEngine, private os::Background {
 public:
  static Result<std::unique_ptr<IoEngine>> make(std::shared_ptr<SharedFile> shared);
  using IoEngine::IoEngine;
  Result<std::unique_ptr<IoEngine>> another() noexcept override;
  void begin(Op& op) noexcept override;
  void advance(std::size_t wanted) noexcept override;
  bool overlaps() const noexcept override { return workers_ != nullptr; }

 private:
  void collect() noexcept;
  void step() noexcept override;

  std::mutex mutex_;
  OpList queued_;                         // for the workers; guarded by mutex_
  OpList executed_;                       // by the workers; guarded by mutex_
  std::uint64_t collected_ = 0;           // operations taken out of executed_ so far
  std::uint64_t begun_ = 0;               // ... put into queued_
  std::unique_ptr<os::Workers> workers_;  // last: gone before what step() uses
};

}  // namespace pagealloc::impl_pread
