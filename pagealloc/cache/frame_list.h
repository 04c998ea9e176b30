// Frames in a row, linked through their numbers: no allocation, any of them is taken out in O(1).
#pragma once

#include <cstddef>
#include <vector>

#include "pagealloc/cache/replacement.h"

namespace pagealloc::cache {

/// The neighbours of every frame. Lists that share one must not share a frame.
struct FrameLinks {
  explicit FrameLinks(std::uint32_t frames) : newer(frames, no_frame), older(frames, no_frame) {}
  std::vector<FrameId> newer;
  std::vector<FrameId> older;
};

/// From the newest frame to the oldest. Not thread safe.
class FrameList {
 public:
  explicit FrameList(FrameLinks& links) : links_(&links) {}

  std::size_t size() const noexcept { return size_; }
  FrameId oldest() const noexcept { return oldest_; }

  void push(FrameId frame) noexcept {
    links_->newer[frame] = no_frame;
    links_->older[frame] = newest_;
    (newest_ == no_frame ? oldest_ : links_->newer[newest_]) = frame;
    newest_ = frame;
    ++size_;
  }

  /// Precondition: it is in this list.
  void remove(FrameId frame) noexcept {
    const FrameId newer = links_->newer[frame];
    const FrameId older = links_->older[frame];
    (newer == no_frame ? newest_ : links_->older[newer]) = older;
    (older == no_frame ? oldest_ : links_->newer[older]) = newer;
    --size_;
  }

  void renew(FrameId frame) noexcept {
    remove(frame);
    push(frame);
  }

  /// Takes out the oldest that `claim` gives. What may not go now becomes the newest: if it kept
  /// its place every search would pass it again, and thousands may be lent or waiting to be
  /// written.
  FrameId take_oldest(const Replacement::Claim& claim) noexcept {
    for (std::size_t left = size_; left > 0; --left) {
      const FrameId frame = oldest_;
      if (claim(frame)) {
        remove(frame);
        return frame;
      }
      renew(frame);
    }
    return no_frame;
  }

  /// `to` stands where `from` stood.
  void rename(FrameId from, FrameId to) noexcept {
    const FrameId newer = links_->newer[from];
    const FrameId older = links_->older[from];
    links_->newer[to] = newer;
    links_->older[to] = older;
    (newer == no_frame ? newest_ : links_->older[newer]) = to;
    (older == no_frame ? oldest_ : links_->newer[older]) = to;
  }

 private:
  FrameLinks* links_;
  FrameId newest_ = no_frame;
  FrameId oldest_ = no_frame;
  std::size_t size_ = 0;
};

}  // namespace pagealloc::cache
