// CLOCK: first in, first out, with a second chance for what was used meanwhile.
#include "pagealloc/cache/frame_list.h"

namespace pagealloc::cache {

namespace {

// The hand of the clock stands at the oldest; what it passes becomes the newest.
class Clock final : public Replacement {
 public:
  explicit Clock(std::uint32_t frames) : links_(frames), ring_(links_), used_(frames) {}

  void admit(FrameId frame, PageId, bool) noexcept override {
    // LAB:BEGIN 1 Clock::admit(frame)
    used_[frame] = 0;
    ring_.push(frame);
    // LAB:END
  }
  void touch(FrameId frame) noexcept override {
    // LAB:BEGIN 1 Clock::touch(frame)
    // What is used most is not written to any more: processors need not pass it to and fro.
    if (used_[frame] == 0) used_[frame] = 1;
    // LAB:END
  }
  void rename(FrameId from, FrameId to) noexcept override {
    // LAB:BEGIN 1 Clock::rename(from, to)
    ring_.rename(from, to);
    used_[to] = used_[from];
    // LAB:END
  }
  void forget(FrameId frame) noexcept override { ring_.remove(frame); }

  FrameId evict(const Claim& claim) noexcept override {
    // LAB:BEGIN 1 Clock::evict(claim)
    // Once around to take the second chances away, once more for those without.
    for (std::size_t passed = 0; passed < 2 * ring_.size(); ++passed) {
      const FrameId frame = ring_.oldest();
      if (used_[frame] == 0 && claim(frame)) {
        ring_.remove(frame);
        return frame;
      }
      used_[frame] = 0;
      ring_.renew(frame);
    }
    return no_frame;
    // LAB:END
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
