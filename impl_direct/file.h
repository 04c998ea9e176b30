// Page files through O_DIRECT: the same calls as pread, without the page cache.
#pragma once

#include <memory>
#include <string_view>

#include "pagealloc/handle.h"

namespace pagealloc::impl_direct {

/// Opens `path` with O_DIRECT, which Options::direct may soften to `attempt`.
Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options);

class File final : public Handle {
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
};

}  // namespace pagealloc::impl_direct
