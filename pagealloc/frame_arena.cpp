#include "pagealloc/frame_arena.h"

#include <bit>
#include <cassert>
#include <utility>

namespace pagealloc {

Result<FrameArena> FrameArena::make(os::Kernel& kernel, std::uint32_t frames,
                                    std::uint32_t page_bytes, std::string_view path) {
  // The kernel aligns to 4096; one frame more gives room to begin at a multiple of larger ones.
  const std::size_t spare = page_bytes > 4096 ? 1 : 0;
  const std::size_t bytes = (std::size_t{frames} + spare) * page_bytes;
  auto memory = kernel.mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (!memory) {
    return std::unexpected(Error{.code = Errc::not_available,
                                 .os_error = -memory.error(),
                                 .path = std::string(path),
                                 .cause = "not available here: cannot get memory for the frames"});
  }
  return FrameArena(kernel, {static_cast<std::byte*>(*memory), bytes}, frames, page_bytes);
}

namespace {

std::byte* align_up(std::byte* address, std::size_t align) {
  const auto past = reinterpret_cast<std::uintptr_t>(address) % align;
  return past == 0 ? address : address + (align - past);
}

}  // namespace

FrameArena::FrameArena(os::Kernel& kernel, std::span<std::byte> mapping, std::uint32_t frames,
                       std::uint32_t page_bytes)
    : kernel_(&kernel),
      mapping_(mapping),
      memory_(align_up(mapping.data(), page_bytes), std::size_t{frames} * page_bytes),
      frames_(frames),
      page_shift_(static_cast<std::uint32_t>(std::countr_zero(page_bytes))),
      free_(frames),
      free_bits_((frames + 63) / 64, 0),
      runs_(frames, 0) {
  for (std::uint32_t frame = 0; frame < frames; ++frame) flip(frame);
}

FrameArena::FrameArena(FrameArena&& other) noexcept
    : kernel_(other.kernel_),
      mapping_(std::exchange(other.mapping_, {})),
      memory_(std::exchange(other.memory_, {})),
      frames_(other.frames_),
      page_shift_(other.page_shift_),
      free_(other.free_),
      free_bits_(std::move(other.free_bits_)),
      runs_(std::move(other.runs_)) {}

FrameArena::~FrameArena() {
  if (!mapping_.empty()) {
    [[maybe_unused]] const int result = kernel_->munmap(mapping_.data(), mapping_.size());
    assert(result == 0);
  }
}

std::byte* FrameArena::take(std::uint32_t run) noexcept {
  if (run != 1) return take_run(run);
  for (std::size_t word = 0; word < free_bits_.size(); ++word) {
    if (free_bits_[word] == 0) continue;
    const auto bit = static_cast<unsigned>(std::countr_zero(free_bits_[word]));
    return hand_out(static_cast<std::uint32_t>(word * 64 + bit), 1);
  }
  return nullptr;
}

std::byte* FrameArena::take_run(std::uint32_t run) noexcept {
  if (run == 0 || run > free_) return nullptr;
  std::uint32_t length = 0;
  for (std::uint32_t frame = frames_; frame-- > 0;) {
    length = is_free(frame) ? length + 1 : 0;
    if (length == run) return hand_out(frame, run);
  }
  return nullptr;
}

std::byte* FrameArena::hand_out(std::uint32_t first, std::uint32_t run) noexcept {
  for (std::uint32_t i = 0; i < run; ++i) flip(first + i);
  free_ -= run;
  runs_[first] = run;
  return memory_.data() + (std::size_t{first} << page_shift_);
}

std::uint32_t FrameArena::run_at(const std::byte* frame) const noexcept {
  const auto offset = static_cast<std::size_t>(frame - memory_.data());
  const std::size_t first = offset >> page_shift_;
  return first << page_shift_ == offset ? runs_[first] : 0;
}

void FrameArena::give(std::byte* frame) noexcept {
  const std::uint32_t run = run_at(frame);
  assert(run != 0 && "a frame was given back twice, or was never handed out");
  const auto first =
      static_cast<std::uint32_t>(static_cast<std::size_t>(frame - memory_.data()) >> page_shift_);
  for (std::uint32_t i = first; i < first + run; ++i) flip(i);
  free_ += run;
  runs_[first] = 0;
}

}  // namespace pagealloc
