// What a cache does for who writes: a frame for the new bytes, the place of the old ones, and which
// of them are yet to be brought to the file.
#include <algorithm>
#include <cassert>
#include <mutex>
#include <utility>

#include "pagealloc/cache/cache.h"

namespace pagealloc::cache {

// One that is free, or that the policy gives up. A frame that is yet to be written stays.
FrameId Cache::take_frame() noexcept {
  // LAB:BEGIN 2 Cache::take_frame()
  if (!free_.empty()) {
    const FrameId frame = free_.back();
    free_.pop_back();
    return frame;
  }
  const FrameId frame = replacement_->evict([this](FrameId candidate) {
    return !dirty_.contains(candidate) && table_->claim(candidate);
  });
  if (frame == no_frame) return no_frame;
  table_->leave(frame);
  clear_marks(frame);
  ++counters_.evictions;
  return frame;
  // LAB:END
}

void Cache::put(FrameId frame, PageId page, bool dirty, std::vector<Use>& uses) noexcept {
  // LAB:BEGIN 3 Cache::put(frame, page, dirty, uses)
  const std::lock_guard lock(mutex_);
  apply(uses);
  const FrameId old = table_->find(page);
  if (old != no_frame) {
    replacement_->rename(old, frame);
    replacement_->touch(frame);
    set_dirty(old, false);
    if (std::exchange(ahead_[old].unused, false)) ++counters_.ahead_wasted;
    if (table_->detach(old)) reclaim(old);
  } else {
    replacement_->admit(frame, page, replacement_->remembers(page));
  }
  table_->enter(frame, page);
  set_dirty(frame, dirty);
  [[maybe_unused]] const bool ended = table_->publish(frame);
  assert(!ended);
  // LAB:END
}

// --- Writing back -------------------------------------------------------------------------------

std::span<const Dirty> Cache::take_dirty(std::size_t max) noexcept {
  // LAB:BEGIN 4 Cache::take_dirty(max)
  const std::lock_guard lock(mutex_);
  batch_.clear();
  const bool some = max < dirty_.size();
  dirty_.list(some ? swept_ : 0, max, batch_);
  if (some && !batch_.empty()) swept_ = batch_.back().page + 1;
  std::ranges::sort(batch_, {}, &Dirty::page);  // the elevator may have turned
  for (const Dirty& dirty : batch_) {
    table_->hold(dirty.frame);
    moving_[dirty.frame] = true;
  }
  return batch_;
  // LAB:END
}

void Cache::written(std::span<const Dirty> pages, bool good) noexcept {
  // LAB:BEGIN 4 Cache::written(pages, good)
  const std::lock_guard lock(mutex_);
  for (const Dirty& dirty : pages) {
    // Another frame may have taken the page's place meanwhile, and be dirty itself.
    if (good) set_dirty(dirty.frame, false);
    moving_[dirty.frame] = false;
    if (table_->unpin(dirty.frame)) reclaim(dirty.frame);
  }
  if (!good) return;
  counters_.written_back += pages.size();
  ++counters_.writes;
  // LAB:END
}

}  // namespace pagealloc::cache
