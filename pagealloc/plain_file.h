// A page file without a cache of its own: every read and write is a transfer, between the file and
// a frame of the handle's.
#pragma once

#include "pagealloc/handle.h"
#include "pagealloc/io_engine.h"

namespace pagealloc {

class PlainFile final : public Handle {
 public:
  static Result<std::unique_ptr<PageFile>> make(std::unique_ptr<IoEngine> engine);
  PlainFile(FrameArena arena, std::unique_ptr<IoEngine> engine);
  ~PlainFile() override { drain(); }
  Result<std::unique_ptr<PageFile>> another() noexcept override;
  Result<void> resize(std::uint64_t pages) noexcept override { return shared().resize(pages); }

 private:
  void read(Op& op) noexcept override;
  void write(Op& op) noexcept override { begin(op); }
  void sync(Op& op) noexcept override { begin(op); }
  void punch(Op& op) noexcept override { begin(op); }
  void prefetch(Op& op) noexcept override { begin(op); }
  std::byte* frame_for(PageId page, std::uint32_t run) noexcept override;
  void advance(std::size_t wanted) noexcept override;
  void begin(Op& op) noexcept;
  void collect() noexcept;

  std::unique_ptr<IoEngine> engine_;  // gone before the frames, which it may have pinned
};

}  // namespace pagealloc
