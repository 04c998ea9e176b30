// CLOCK: first in, first out, with a second chance for what was used meanwhile.
#include "labs/not_started.h"
#include "pagealloc/cache/frame_list.h"

namespace pagealloc::cache {

namespace {

// The hand of the clock stands at the oldest; what it passes becomes the newest.
class Clock final : public Replacement {
 public:
  explicit Clock(std::uint32_t frames) : links_(frames), ring_(links_), used_(frames) {}

  void admit(FrameId frame, PageId, bool) noexcept override {
    // Task 1.
    labs::not_started("Clock::admit", frame);
  }
  void touch(FrameId frame) noexcept override {
    // Task 1.
    labs::not_started("Clock::touch", frame);
  }
  void rename(FrameId from, FrameId to) noexcept override {
    // Task 1.
    labs::not_started("Clock::rename", from, to);
  }
  void forget(FrameId frame) noexcept override { ring_.remove(frame); }

  FrameId evict(const Claim& claim) noexcept override {
    // Task 1.
    labs::not_started("Clock::evict", claim);
  }

 private:
  FrameLinks links_;
  FrameList ring_;
  std::vector<std::uint8_t> used_;
};

}  // namespace

std::unique_ptr<Replacement> make_clock(std::uint32_t frames) {
  return std::make_unique<Clock>(frames);
}

}  // namespace pagealloc::cache
