// LRU: the page that was not used for the longest time goes.
#include "pagealloc/cache/frame_list.h"

namespace pagealloc::cache {

namespace {

class Lru final : public Replacement {
 public:
  explicit Lru(std::uint32_t frames) : links_(frames), order_(links_) {}

  void admit(FrameId frame, PageId, bool) noexcept override { order_.push(frame); }
  void touch(FrameId frame) noexcept override { order_.renew(frame); }
  void rename(FrameId from, FrameId to) noexcept override { order_.rename(from, to); }
  void forget(FrameId frame) noexcept override { order_.remove(frame); }

  FrameId evict(const Claim& claim) noexcept override { return order_.take_oldest(claim); }

 private:
  FrameLinks links_;
  FrameList order_;
};

}  // namespace

std::unique_ptr<Replacement> make_lru(std::uint32_t frames) {
  return std::make_unique<Lru>(frames);
}

}  // namespace pagealloc::cache
