// What a Loop is made of, and where its coroutines' frames come from; future.cpp drives it.
#include "pagealloc/future.h"

namespace pagealloc {

namespace {

// Before each coroutine frame: whose it is, so that operator delete can find the way back.
// Aligned as an Op is, because coroutines keep those in their frames.
struct alignas(alignof(Op)) FrameHeader {
  Loop* loop;
};

}  // namespace

// --- Task ---------------------------------------------------------------------------------------

void* Task::take_frame(Loop& loop, std::size_t bytes) noexcept {
  if (loop.free_frames_.empty() || bytes + sizeof(FrameHeader) > loop.frame_bytes_) return nullptr;
  std::byte* memory = loop.free_frames_.back();
  loop.free_frames_.pop_back();
  return new (memory) FrameHeader{&loop} + 1;
}

void Task::give_frame(void* frame) noexcept {
  FrameHeader* header = static_cast<FrameHeader*>(frame) - 1;
  // The vector had this place before the frame was taken out: no allocation.
  header->loop->free_frames_.push_back(reinterpret_cast<std::byte*>(header));
}

// --- Loop ---------------------------------------------------------------------------------------

Loop::Loop(PageFile& file, Limits limits) : file_(file), slots_(limits.operations) {
  for (std::uint32_t i = 0; i < slots_.size(); ++i) slots_[i].next_free = i + 1;
  pending_.reserve(limits.operations);
  constexpr std::size_t align = alignof(FrameHeader);
  frame_bytes_ = (limits.task_bytes + sizeof(FrameHeader) + align - 1) / align * align;
  frames_.reset(new (std::align_val_t{align}) std::byte[frame_bytes_ * limits.tasks]);
  free_frames_.reserve(limits.tasks);
  for (std::uint32_t i = 0; i < limits.tasks; ++i) {
    free_frames_.push_back(frames_.get() + i * frame_bytes_);
  }
}

Loop::~Loop() { run(); }

Future Loop::read(PageId page, std::uint32_t run) noexcept {
  return start(Verb::read, page, nullptr, run);
}
Future Loop::write(PageId page, std::byte* frame, std::uint32_t run) noexcept {
  return start(Verb::write, page, frame, run);
}
Future Loop::sync() noexcept { return start(Verb::sync, 0, nullptr, 1); }
Future Loop::punch(PageId page, std::uint32_t run) noexcept {
  return start(Verb::punch, page, nullptr, run);
}
Future Loop::prefetch(PageId page, std::uint32_t run) noexcept {
  return start(Verb::prefetch, page, nullptr, run);
}

}  // namespace pagealloc
