// 2Q: a page must come back before it may stay.
//
// New pages stand in a first-in-first-out queue of a quarter of the frames. Who leaves it is
// remembered, half as many as there are frames; who is asked for again while remembered enters an
// LRU list, which has the rest. (Johnson, Shasha: 2Q, VLDB 1994, the full version; with its Kin of
// a quarter and its Kout of a half.)
#include <algorithm>

#include "pagealloc/cache/ghosts.h"

namespace pagealloc::cache {

namespace {

class TwoQ final : public Replacement {
 public:
  explicit TwoQ(std::uint32_t frames)
      : in_max_(std::max(1U, frames / 4)),
        links_(frames),
        in_(links_),
        often_(links_),
        out_(frames / 2),
        entries_(frames) {}

  bool remembers(PageId page) const noexcept override { return out_.contains(page); }

  void admit(FrameId frame, PageId page, bool remembered) noexcept override {
    if (remembered) out_.remove(page);
    entries_[frame] = {.page = page, .often = remembered};
    list_of(frame).push(frame);
  }

  // In the queue a second use means nothing: it may belong to the same occasion.
  void touch(FrameId frame) noexcept override {
    if (entries_[frame].often) often_.renew(frame);
  }

  void rename(FrameId from, FrameId to) noexcept override {
    list_of(from).rename(from, to);
    entries_[to] = entries_[from];
  }

  void forget(FrameId frame) noexcept override { list_of(frame).remove(frame); }

  FrameId evict(const Claim& claim) noexcept override {
    const bool queue_first = in_.size() > in_max_ || often_.size() == 0;
    const FrameId first = evict_from(queue_first ? in_ : often_, claim);
    return first != no_frame ? first : evict_from(queue_first ? often_ : in_, claim);
  }

 private:
  struct Entry {
    PageId page = 0;
    bool often = false;
  };
  FrameList& list_of(FrameId frame) noexcept { return entries_[frame].often ? often_ : in_; }

  FrameId evict_from(FrameList& list, const Claim& claim) noexcept {
    const FrameId frame = list.take_oldest(claim);
    if (frame == no_frame) return no_frame;
    if (!entries_[frame].often) out_.add(entries_[frame].page);
    return frame;
  }

  std::uint32_t in_max_;
  FrameLinks links_;
  FrameList in_;
  FrameList often_;
  Ghosts out_;
  std::vector<Entry> entries_;
};

}  // namespace

std::unique_ptr<Replacement> make_two_q(std::uint32_t frames) {
  return std::make_unique<TwoQ>(frames);
}

}  // namespace pagealloc::cache
