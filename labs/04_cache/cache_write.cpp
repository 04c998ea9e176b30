// What a cache does for who writes: a frame for the new bytes, the place of the old ones, and which
// of them are yet to be brought to the file.
#include <algorithm>
#include <cassert>
#include <mutex>
#include <utility>

#include "labs/not_started.h"
#include "pagealloc/cache/cache.h"

namespace pagealloc::cache {

// One that is free, or that the policy gives up. A frame that is yet to be written stays.
FrameId Cache::take_frame() noexcept {
  // Task 2.
  labs::not_started("Cache::take_frame");
}

void Cache::put(FrameId frame, PageId page, bool dirty, std::vector<Use>& uses) noexcept {
  // Task 3.
  labs::not_started("Cache::put", frame, page, dirty, uses);
}

// --- Writing back -------------------------------------------------------------------------------

std::span<const Dirty> Cache::take_dirty(std::size_t max) noexcept {
  // Task 4.
  labs::not_started("Cache::take_dirty", max);
}

void Cache::written(std::span<const Dirty> pages, bool good) noexcept {
  // Task 4.
  labs::not_started("Cache::written", pages, good);
}

}  // namespace pagealloc::cache
