// A fixed number of page-sized frames in one block of memory, made at open and never grown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "pagealloc/error.h"
#include "pagealloc/os/kernel.h"

namespace pagealloc {

/// Not thread safe: each handle has its own. Every frame is aligned to its own size, which is all
/// that O_DIRECT may ask; the memory is touched already, because a first touch costs more than a
/// warm read does.
class FrameArena {
 public:
  static Result<FrameArena> make(os::Kernel& kernel, std::uint32_t frames, std::uint32_t page_bytes,
                                 std::string_view path);
  FrameArena(FrameArena&& other) noexcept;
  FrameArena& operator=(FrameArena&&) = delete;
  ~FrameArena();

  /// `run` contiguous frames, or nullptr when there is no such place. Single frames come from the
  /// low end and runs from the high end, so that single ones do not break the runs' space up.
  std::byte* take(std::uint32_t run) noexcept;
  /// Takes back what take() handed out, whole. Precondition: run_at(frame) != 0 (asserted).
  void give(std::byte* frame) noexcept;
  /// How many frames take() handed out at this address; 0 when it did not, or has them back.
  std::uint32_t run_at(const std::byte* frame) const noexcept;

  bool owns(const std::byte* address) const noexcept {
    return address >= memory_.data() && address < memory_.data() + memory_.size();
  }
  std::span<std::byte> memory() const noexcept { return memory_; }

 private:
  FrameArena(os::Kernel& kernel, std::span<std::byte> mapping, std::uint32_t frames,
             std::uint32_t page_bytes);
  bool is_free(std::uint32_t frame) const noexcept {
    return ((free_bits_[frame / 64] >> (frame % 64)) & 1U) != 0;
  }
  void flip(std::uint32_t frame) noexcept { free_bits_[frame / 64] ^= 1ULL << (frame % 64); }
  std::byte* hand_out(std::uint32_t first, std::uint32_t run) noexcept;
  std::byte* take_run(std::uint32_t run) noexcept;

  os::Kernel* kernel_;
  std::span<std::byte> mapping_;  // what was asked of the kernel
  std::span<std::byte> memory_;   // the frames in it
  std::uint32_t frames_;
  std::uint32_t page_shift_;
  std::uint32_t free_;
  std::vector<std::uint64_t> free_bits_;  // 1: free
  std::vector<std::uint32_t> runs_;       // by the first frame of what is handed out; else 0
};

}  // namespace pagealloc
