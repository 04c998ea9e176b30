// Page files through preadv and pwritev: the baseline. With threads, a pool executes operations.
#pragma once

#include <memory>
#include <mutex>
#include <string_view>

#include "pagealloc/handle.h"

namespace pagealloc::impl_pread {

/// Opens `path` through the page cache. Uses Options::threads; refuses Options::direct == require.
Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options);

class File final : public Handle, private os::Background {
 public:
  static Result<std::unique_ptr<PageFile>> make(std::shared_ptr<SharedFile> shared);
  File(std::shared_ptr<SharedFile> shared, FrameArena arena);
  ~File() override;
  Result<std::unique_ptr<PageFile>> another() noexcept override;

 private:
  std::byte* frame_for(PageId page, std::uint32_t run) noexcept override;
  void read(Op& op) noexcept override;
  void write(Op& op) noexcept override;
  void sync(Op& op) noexcept override;
  void punch(Op& op) noexcept override;
  void begin(Op& op) noexcept;
  void advance(std::size_t wanted) noexcept override;
  void collect() noexcept;
  void step() noexcept override;

  std::mutex mutex_;
  OpList queued_;                         // for the workers; guarded by mutex_
  OpList executed_;                       // by the workers; guarded by mutex_
  std::uint64_t collected_ = 0;           // operations taken out of executed_ so far
  std::unique_ptr<os::Workers> workers_;  // last: gone before what step() uses
};

}  // namespace pagealloc::impl_pread
