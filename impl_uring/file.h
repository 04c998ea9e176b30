// Page files through io_uring: many operations in flight from one thread.
#pragma once

#include <memory>
#include <string_view>

#include "pagealloc/handle.h"

namespace pagealloc::impl_uring {

/// Opens `path`, with O_DIRECT unless Options::direct says otherwise. Where io_uring is refused the
/// error says by whom, as far as can be told. Uses Options::registered_buffers.
Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options);

class File final : public Handle {
 public:
  static Result<std::unique_ptr<PageFile>> make(std::shared_ptr<SharedFile> shared,
                                                std::unique_ptr<os::Ring> ring, int own_fd);
  File(std::shared_ptr<SharedFile> shared, FrameArena arena, std::unique_ptr<os::Ring> ring,
       int own_fd);
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
  void step(Op& op, std::int32_t result) noexcept;

  bool registered_buffers_;
  bool enabled_ = false;
  int own_fd_;                // open file description of this handle alone; -1: the shared one
  unsigned queued_ = 0;       // entries filled and not yet submitted
  unsigned outstanding_ = 0;  // entries filled whose completion has not been seen
  // One sync in the kernel at a time, for the reason in sync_group.h. Those that come meanwhile
  // wait for the next, which serves them all: the first of syncing_ is the one that asks the
  // kernel.
  OpList syncing_;
  OpList waiting_syncs_;
  std::unique_ptr<os::Ring> ring_;  // last: gone before the frames it has pinned
};

}  // namespace pagealloc::impl_uring
