#include "pagealloc/cache/cache.h"

#include <cassert>
#include <mutex>

#include "pagealloc/cache/transfer.h"

namespace pagealloc::cache {

Result<std::shared_ptr<Cache>> Cache::make(SharedFile& shared) {
  const std::uint32_t page_bytes = shared.geometry().page_bytes;
  const auto frames = static_cast<std::uint32_t>(shared.options().cache.bytes / page_bytes);
  auto table = FrameTable::make(shared.kernel(), frames, page_bytes, shared.path());
  if (!table) return std::unexpected(table.error());
  return std::shared_ptr<Cache>(new Cache(shared, std::move(*table)));
}

Cache::Cache(SharedFile& shared, std::unique_ptr<FrameTable> table)
    : table_(std::move(table)),
      turn_(shared.kernel()),
      replacement_(make_replacement(shared.options().cache.eviction, table_->frames())),
      loads_(table_->frames(), nullptr),
      ahead_(table_->frames()),
      moving_(table_->frames()),
      dirty_(table_->frames()) {
  free_.reserve(frames());
  for (FrameId frame = frames(); frame-- > 0;) free_.push_back(frame);
  batch_.reserve(frames());
}

// Every frame is free, or found and held by nobody: a frame that is neither would never be used
// again.
Cache::~Cache() {
#ifndef NDEBUG
  std::size_t known = free_.size();
  for (FrameId frame = 0; frame < frames(); ++frame) known += table_->idle(frame) ? 1U : 0U;
  assert(known == frames());
#endif
}

// A quarter is for those that are read ahead; of the rest one must be left to work with.
bool Cache::admit_handle(std::uint32_t lends) noexcept {
  const std::lock_guard lock(mutex_);
  if (lends_ + lends >= frames() - frames() / 4) return false;
  lends_ += lends;
  return true;
}

bool Cache::dismiss_handle(std::uint32_t lends) noexcept {
  const std::lock_guard lock(mutex_);
  lends_ -= lends;
  return lends_ == 0;
}

// --- Finding ------------------------------------------------------------------------------------

FrameId Cache::pin(PageId page) noexcept {
  FrameId ended = no_frame;
  const FrameId frame = table_->pin(page, ended);
  if (ended != no_frame) [[unlikely]] {
    const std::lock_guard lock(mutex_);
    reclaim(ended);
  }
  return frame;
}

void Cache::unpin(FrameId frame) noexcept {
  if (!table_->unpin(frame)) [[likely]]
    return;
  const std::lock_guard lock(mutex_);
  reclaim(frame);
}

void Cache::note(std::vector<Use>& uses) noexcept {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock.owns_lock()) return apply(uses);
  hits_not_noted_.fetch_add(uses.size(), std::memory_order_relaxed);
  uses.clear();
}

void Cache::apply(std::vector<Use>& uses) noexcept {
  assert(held(mutex_) && "uses are applied under the lock");
  for (const Use& use : uses) {
    // The frame may hold another page by now.
    if (table_->page_of(use.frame) != use.page || table_->detached(use.frame)) continue;
    this->use(use.frame);
  }
  counters_.hits += uses.size();
  uses.clear();
}

// The first use of a page that was read ahead is what a miss is for others: no second use yet.
void Cache::use(FrameId frame) noexcept {
  if (!ahead_[frame].unused) return replacement_->touch(frame);
  ahead_[frame].unused = false;
  ++counters_.ahead_used;
}

Cache::Miss Cache::miss(PageId page, Transfer& load, std::vector<Use>& uses) noexcept {
  const std::lock_guard lock(mutex_);
  apply(uses);
  const FrameId there = table_->find(page);
  if (there != no_frame && !table_->claimed(there)) {
    table_->hold(there);
    use(there);
    ++counters_.hits;
    return {Miss::Kind::found, there};
  }
  if (there != no_frame && loads_[there]->owner == load.owner) {
    use(there);
    ++counters_.hits;
    return {Miss::Kind::loading, there, loads_[there]};
  }
  const bool unshared = there != no_frame;
  const bool remembered = !unshared && replacement_->remembers(page);
  const FrameId frame = take_frame();
  if (frame == no_frame) return {Miss::Kind::full};
  ++counters_.misses;
  if (unshared) return {Miss::Kind::unshared, frame};
  enter(frame, page, remembered, load);
  return {Miss::Kind::fresh, frame};
}

bool Cache::claim_ahead(PageId first, std::size_t pages, Transfer& load,
                        std::vector<FrameId>& claimed, std::vector<Use>& uses) noexcept {
  const std::lock_guard lock(mutex_);
  apply(uses);
  for (PageId page = first; page < first + pages; ++page) {
    if (table_->find(page) != no_frame) return true;
    if (filling_ahead_ >= frames() / 4) return false;
    const FrameId frame = take_frame();
    if (frame == no_frame) return false;
    enter(frame, page, false, load);  // nobody has asked for it: it is not back yet
    ahead_[frame] = {.unused = true, .filling = true};
    ++filling_ahead_;
    ++counters_.ahead;
    claimed.push_back(frame);
  }
  return false;
}

void Cache::enter(FrameId frame, PageId page, bool remembered, Transfer& load) noexcept {
  table_->enter(frame, page);
  replacement_->admit(frame, page, remembered);
  loads_[frame] = &load;
}

void Cache::publish(std::span<const FrameId> filled) noexcept {
  const std::lock_guard lock(mutex_);
  for (const FrameId frame : filled) {
    loads_[frame] = nullptr;
    if (ahead_[frame].filling) --filling_ahead_;
    ahead_[frame].filling = false;
    if (table_->publish(frame)) reclaim(frame);
  }
}

void Cache::give_up(FrameId frame) noexcept {
  const std::lock_guard lock(mutex_);
  loads_[frame] = nullptr;
  if (!table_->detached(frame)) replacement_->forget(frame);
  table_->leave(frame);
  clear_marks(frame);
  free_.push_back(frame);
}

void Cache::clear_marks(FrameId frame) noexcept {
  if (ahead_[frame].filling) --filling_ahead_;
  if (ahead_[frame].unused) ++counters_.ahead_wasted;
  ahead_[frame] = {};
}

void Cache::reclaim(FrameId frame) noexcept {
  assert(held(mutex_));
  if (table_->reclaim(frame)) free_.push_back(frame);
}

// --- Writing ------------------------------------------------------------------------------------

FrameId Cache::stage(std::vector<Use>& uses) noexcept {
  const std::lock_guard lock(mutex_);
  apply(uses);
  return take_frame();
}

void Cache::drop(PageId page, std::uint64_t run) noexcept {
  const std::lock_guard lock(mutex_);
  if (run <= frames()) {
    for (PageId each = page; each < page + run; ++each) {
      if (const FrameId frame = table_->find(each); frame != no_frame) detach(frame);
    }
  } else {
    for (FrameId frame = 0; frame < frames(); ++frame) {
      const PageId its = table_->page_of(frame);
      if (!table_->detached(frame) && its >= page && its - page < run) detach(frame);
    }
  }
}

void Cache::drop_all() noexcept {
  const std::lock_guard lock(mutex_);
  for (FrameId frame = 0; frame < frames(); ++frame) {
    if (!table_->detached(frame) && !moving_[frame]) detach(frame);
  }
}

void Cache::detach(FrameId frame) noexcept {
  replacement_->forget(frame);
  set_dirty(frame, false);
  if (ahead_[frame].unused) ++counters_.ahead_wasted;
  ahead_[frame].unused = false;
  if (table_->detach(frame)) reclaim(frame);
}

void Cache::set_dirty(FrameId frame, bool on) noexcept {
  assert(held(mutex_));
  if (dirty_.contains(frame) == on) return;
  on ? dirty_.add(frame, table_->page_of(frame)) : dirty_.remove(frame);
  dirty_count_.store(static_cast<std::uint32_t>(dirty_.size()), std::memory_order_relaxed);
}

// --- Writing back -------------------------------------------------------------------------------

bool Cache::any_unwritten(PageId page, std::uint64_t run) noexcept {
  const std::lock_guard lock(mutex_);
  return dirty_.any(page, run);
}

CacheCounters Cache::counters() noexcept {
  const std::lock_guard lock(mutex_);
  CacheCounters all = counters_;
  all.hits += hits_not_noted_.load(std::memory_order_relaxed);
  return all;
}

}  // namespace pagealloc::cache
