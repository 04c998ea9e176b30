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
                                                std::unique_ptr<os::Ring> ring);
  File(std::shared_ptr<SharedFile> shared, FrameArena arena, std::unique_ptr<os::Ring> ring);
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
  unsigned queued_ = 0;             // entries filled and not yet submitted
  std::unique_ptr<os::Ring> ring_;  // last: gone before the frames it has pinned
};

}  // namespace pagealloc::impl_uring
