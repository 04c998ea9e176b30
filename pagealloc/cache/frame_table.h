// The frames of a cache: their memory, who holds them, and which page is where.
//
// Finding a page and holding it takes no lock: an entry of the table says where the page was, the
// hold is one addition to the frame's state, and what the addition returns says whether the frame
// could be held. Everything else happens under the lock of the cache.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "pagealloc/cache/replacement.h"
#include "pagealloc/os/kernel.h"

namespace pagealloc::cache {

class FrameTable {
 public:
  static Result<std::unique_ptr<FrameTable>> make(os::Kernel& kernel, std::uint32_t frames,
                                                  std::uint32_t page_bytes, std::string_view path);
  ~FrameTable();
  FrameTable(const FrameTable&) = delete;
  FrameTable& operator=(const FrameTable&) = delete;

  std::uint32_t frames() const noexcept { return frames_; }
  std::span<std::byte> memory() const noexcept { return memory_; }
  bool owns(const std::byte* address) const noexcept {
    return address >= memory_.data() && address < memory_.data() + memory_.size();
  }
  std::byte* memory_of(FrameId frame) const noexcept {
    return memory_.data() + (std::size_t{frame} << page_shift_);
  }
  /// no_frame when it is not the address of a frame.
  FrameId frame_at(const std::byte* address) const noexcept;
  PageId page_of(FrameId frame) const noexcept {
    return slots_[frame].page.load(std::memory_order_relaxed);
  }

  // --- Without a lock ---------------------------------------------------------------------------

  /// Holds the frame in which `page` can be read; no_frame when it is not there, or not yet. Give
  /// it back with unpin(). The attempt may have been the last hold of a frame that is in no page's
  /// place any more: `ended` is that frame, and somebody has to reclaim() it; else no_frame.
  FrameId pin(PageId page, FrameId& ended) noexcept;
  /// True: reclaim() it.
  [[nodiscard]] bool unpin(FrameId frame) noexcept;

  // --- Under the lock of the cache --------------------------------------------------------------

  /// Where is the page, readable or on its way? Else no_frame.
  FrameId find(PageId page) const noexcept;
  /// One more hold on a frame that can be held, or that the caller is filling.
  void hold(FrameId frame) noexcept;
  /// Takes a frame in some page's place that nobody holds, for itself; false when somebody does.
  bool claim(FrameId frame) noexcept;
  /// The same of one in no page's place: by the first who comes.
  bool reclaim(FrameId frame) noexcept;
  /// A claimed frame takes `page`'s place: it is found, though it cannot be held yet.
  void enter(FrameId frame, PageId page) noexcept;
  /// A claimed frame gives its page's place up, if it has one.
  void leave(FrameId frame) noexcept;
  /// A claimed frame can be held from now on. True: reclaim() it.
  [[nodiscard]] bool publish(FrameId frame) noexcept;
  /// A frame gives its page's place up, and ends with its last hold, or when it is published and
  /// has none. True: reclaim() it.
  [[nodiscard]] bool detach(FrameId frame) noexcept;
  /// In some page's place, readable, and held by nobody.
  bool idle(FrameId frame) const noexcept { return state_of(frame) == 0; }
  bool claimed(FrameId frame) const noexcept { return (state_of(frame) & claimed_bit) != 0; }
  bool detached(FrameId frame) const noexcept { return (state_of(frame) & detached_bit) != 0; }

 private:
  // State of a frame: so many holds, and
  static constexpr std::uint32_t claimed_bit = 1U << 30;   // it is free, or being filled or evicted
  static constexpr std::uint32_t detached_bit = 1U << 31;  // it is in no page's place
  static constexpr std::uint32_t holds_mask = claimed_bit - 1;

  struct Slot {
    std::atomic<std::uint32_t> state{claimed_bit | detached_bit};
    std::atomic<FrameId> next{no_frame};  // of the same bucket
    std::atomic<PageId> page{0};
  };
  FrameTable(os::Kernel& kernel, std::span<std::byte> mapping, std::uint32_t frames,
             std::uint32_t page_bytes);
  std::size_t bucket_of(PageId page) const noexcept {
    return page * 0x9E3779B97F4A7C15ULL >> bucket_shift_;
  }
  std::uint32_t state_of(FrameId frame) const noexcept {
    return slots_[frame].state.load(std::memory_order_relaxed);
  }
  void unlink(FrameId frame) noexcept;

  os::Kernel& kernel_;
  std::span<std::byte> mapping_;  // what was asked of the kernel
  std::span<std::byte> memory_;   // the frames in it
  std::uint32_t frames_;
  std::uint32_t page_shift_;
  std::uint32_t bucket_shift_;
  std::vector<Slot> slots_;
  std::vector<std::atomic<FrameId>> buckets_;
};

}  // namespace pagealloc::cache
