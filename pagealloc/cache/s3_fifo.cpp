// S3-FIFO: three queues, so that what is used once does not drive out what is used often.
//
// New pages enter a small queue; who leaves it unused is remembered without its bytes, and enters
// the main queue if it comes back soon. A scan passes through the small queue and no further.
// (Yang, Zhang, Qiu, Yue, Vigfusson: FIFO queues are all you need for cache eviction, SOSP 2023.
// Where the main queue is longer than its share it gives first, as in their simulator.)
#include <algorithm>

#include "pagealloc/cache/ghosts.h"

namespace pagealloc::cache {

namespace {

class S3Fifo final : public Replacement {
 public:
  explicit S3Fifo(std::uint32_t frames)
      : small_max_(std::max(1U, frames / 10)),
        links_(frames),
        small_(links_),
        main_(links_),
        ghosts_(frames - small_max_),
        main_max_(frames - small_max_),
        entries_(frames) {}

  bool remembers(PageId page) const noexcept override { return ghosts_.contains(page); }

  void admit(FrameId frame, PageId page, bool remembered) noexcept override {
    if (remembered) ghosts_.remove(page);
    entries_[frame] = {.page = page, .uses = 0, .in_main = remembered};
    queue_of(frame).push(frame);
  }

  void touch(FrameId frame) noexcept override {
    // What is used most is not written to any more: processors need not pass it to and fro.
    if (entries_[frame].uses < uses_max) ++entries_[frame].uses;
  }

  void rename(FrameId from, FrameId to) noexcept override {
    queue_of(from).rename(from, to);
    entries_[to] = entries_[from];
  }

  void forget(FrameId frame) noexcept override { queue_of(frame).remove(frame); }

  FrameId evict(const Claim& claim) noexcept override {
    const bool main_first = main_.size() > main_max_ || small_.size() == 0;
    FrameId frame = main_first ? evict_main(claim) : no_frame;
    if (frame == no_frame) frame = evict_small(claim);
    // Nothing may go there, or all of it has moved up.
    if (frame == no_frame) frame = evict_main(claim);
    return frame;
  }

 private:
  static constexpr std::uint8_t uses_max = 3;
  struct Entry {
    PageId page = 0;
    std::uint8_t uses = 0;  // since it came into its queue; the main one counts down
    bool in_main = false;
  };
  FrameId evict_small(const Claim& claim) noexcept {
    for (std::size_t left = small_.size(); left > 0; --left) {
      const FrameId frame = small_.oldest();
      Entry& entry = entries_[frame];
      if (entry.uses > 1) {
        small_.remove(frame);
        entry.uses = 0;
        entry.in_main = true;
        main_.push(frame);
      } else if (claim(frame)) {
        small_.remove(frame);
        ghosts_.add(entry.page);
        return frame;
      } else {
        small_.renew(frame);
      }
    }
    return no_frame;
  }

  FrameId evict_main(const Claim& claim) noexcept {
    for (std::size_t left = main_.size(); left > 0; --left) {
      const FrameId frame = main_.oldest();
      Entry& entry = entries_[frame];
      if (entry.uses == 0 && claim(frame)) {
        main_.remove(frame);
        return frame;
      }
      if (entry.uses > 0) left = main_.size() + 1;  // it may go the next time around
      if (entry.uses > 0) --entry.uses;
      main_.renew(frame);
    }
    return no_frame;
  }

  FrameList& queue_of(FrameId frame) noexcept { return entries_[frame].in_main ? main_ : small_; }

  std::uint32_t small_max_;
  FrameLinks links_;
  FrameList small_;
  FrameList main_;
  Ghosts ghosts_;
  std::size_t main_max_;
  std::vector<Entry> entries_;
};

}  // namespace

std::unique_ptr<Replacement> make_s3_fifo(std::uint32_t frames) {
  return std::make_unique<S3Fifo>(frames);
}

}  // namespace pagealloc::cache
