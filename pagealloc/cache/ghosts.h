// Pages that were here not long ago, without their bytes: the newest so many.
#pragma once

#include <bit>
#include <cstddef>
#include <vector>

#include "pagealloc/cache/frame_list.h"

namespace pagealloc::cache {

/// Not thread safe. Allocates when it is made only.
class Ghosts {
 public:
  explicit Ghosts(std::uint32_t capacity)
      : capacity_(capacity),
        links_(capacity),
        order_(links_),
        pages_(capacity),
        chain_(capacity, no_frame),
        buckets_(std::bit_ceil(std::size_t{capacity} * 2 + 1), no_frame) {
    for (FrameId ghost = 0; ghost < capacity; ++ghost) unused_.push_back(ghost);
  }

  std::size_t size() const noexcept { return order_.size(); }

  /// The newest now; the oldest makes room.
  void add(PageId page) noexcept {
    if (capacity_ == 0) return;
    remove(page);
    if (unused_.empty()) take_out(order_.oldest());
    const FrameId ghost = unused_.back();
    unused_.pop_back();
    pages_[ghost] = page;
    order_.push(ghost);
    FrameId& first = bucket_of(page);
    chain_[ghost] = first;
    first = ghost;
  }

  bool contains(PageId page) const noexcept { return find(page) != no_frame; }
  void remove(PageId page) noexcept {
    if (const FrameId ghost = find(page); ghost != no_frame) take_out(ghost);
  }

 private:
  std::size_t bucket(PageId page) const noexcept {
    return (page * 0x9E3779B97F4A7C15ULL >> 32) & (buckets_.size() - 1);
  }
  FrameId& bucket_of(PageId page) noexcept { return buckets_[bucket(page)]; }
  FrameId find(PageId page) const noexcept {
    FrameId ghost = buckets_[bucket(page)];
    while (ghost != no_frame && pages_[ghost] != page) ghost = chain_[ghost];
    return ghost;
  }
  void take_out(FrameId ghost) noexcept {
    FrameId* link = &bucket_of(pages_[ghost]);
    while (*link != ghost) link = &chain_[*link];
    *link = chain_[ghost];
    order_.remove(ghost);
    unused_.push_back(ghost);
  }

  std::uint32_t capacity_;
  FrameLinks links_;
  FrameList order_;
  std::vector<PageId> pages_;     // by ghost, as is chain_
  std::vector<FrameId> chain_;    // the next of the same bucket
  std::vector<FrameId> buckets_;  // the first
  std::vector<FrameId> unused_;
};

}  // namespace pagealloc::cache
