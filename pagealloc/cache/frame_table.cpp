#include "pagealloc/cache/frame_table.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "pagealloc/cache/schedule.h"

namespace pagealloc::cache {

namespace {

constexpr std::size_t huge_bytes = 2U << 20;

}  // namespace

Result<std::unique_ptr<FrameTable>> FrameTable::make(os::Kernel& kernel, std::uint32_t frames,
                                                     std::uint32_t page_bytes,
                                                     std::string_view path) {
  const std::size_t frames_bytes = std::size_t{frames} * page_bytes;
  const std::size_t align = frames_bytes >= huge_bytes ? huge_bytes : page_bytes_max;
  const std::size_t bytes = frames_bytes + align;
  auto memory = kernel.mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (!memory) {
    return std::unexpected(Error{.code = Errc::not_available,
                                 .os_error = -memory.error(),
                                 .path = std::string(path),
                                 .cause = "not available here: cannot get memory for the cache"});
  }
  return std::unique_ptr<FrameTable>(
      new FrameTable(kernel, {static_cast<std::byte*>(*memory), bytes}, frames, page_bytes));
}

FrameTable::FrameTable(os::Kernel& kernel, std::span<std::byte> mapping, std::uint32_t frames,
                       std::uint32_t page_bytes)
    : kernel_(kernel),
      mapping_(mapping),
      frames_(frames),
      page_shift_(static_cast<std::uint32_t>(std::countr_zero(page_bytes))),
      slots_(frames),
      buckets_(std::max<std::size_t>(std::bit_ceil(std::size_t{frames} * 2), 2)) {
  bucket_shift_ = 64 - static_cast<std::uint32_t>(std::countr_zero(buckets_.size()));
  for (auto& bucket : buckets_) bucket.store(no_frame, std::memory_order_relaxed);
  const std::size_t frames_bytes = std::size_t{frames} * page_bytes;
  const std::size_t align = mapping.size() - frames_bytes;
  const auto past = reinterpret_cast<std::uintptr_t>(mapping.data()) % align;
  memory_ = mapping.subspan(past == 0 ? 0 : align - past, frames_bytes);
  // Pages of 2 MiB spare most of the TLB misses that 4 KiB pages cost; advice, where there are any.
  if (align == huge_bytes) (void)kernel.madvise(memory_.data(), memory_.size(), MADV_HUGEPAGE);
  // A first touch costs more than a warm read does.
  constexpr std::size_t system_page_bytes = 4096;
  for (std::size_t i = 0; i < memory_.size(); i += system_page_bytes) memory_[i] = std::byte{0};
}

FrameTable::~FrameTable() {
  [[maybe_unused]] const int result = kernel_.munmap(mapping_.data(), mapping_.size());
  assert(result == 0);
}

FrameId FrameTable::frame_at(const std::byte* address) const noexcept {
  if (!owns(address)) return no_frame;
  const auto offset = static_cast<std::size_t>(address - memory_.data());
  const std::size_t frame = offset >> page_shift_;
  return frame << page_shift_ == offset ? static_cast<FrameId>(frame) : no_frame;
}

// --- Without a lock -----------------------------------------------------------------------------

FrameId FrameTable::pin(PageId page, FrameId& ended) noexcept {
  ended = no_frame;
  FrameId frame = buckets_[bucket_of(page)].load(std::memory_order_acquire);
  // While it is followed a frame may move to another chain. Then the page is not found, and who
  // looks again under the lock finds it; the other chain has an end, too.
  between_steps();
  while (frame != no_frame && page_of(frame) != page) {
    between_steps();
    frame = slots_[frame].next.load(std::memory_order_acquire);
  }
  if (frame == no_frame) return no_frame;
  between_steps();
  const std::uint32_t before = slots_[frame].state.fetch_add(1, std::memory_order_acquire);
  between_steps();
  // Held now, so its page cannot change any more. Was it this one's, and readable?
  if ((before & (claimed_bit | detached_bit)) == 0 && page_of(frame) == page) return frame;
  if (unpin(frame)) ended = frame;
  return no_frame;
}

bool FrameTable::unpin(FrameId frame) noexcept {
  between_steps();
  const std::uint32_t before = slots_[frame].state.fetch_sub(1, std::memory_order_acq_rel);
  assert((before & holds_mask) != 0 && "a frame was given back twice");
  return before == (detached_bit | 1U);
}

// --- Under the lock of the cache ----------------------------------------------------------------

FrameId FrameTable::find(PageId page) const noexcept {
  FrameId frame = buckets_[bucket_of(page)].load(std::memory_order_relaxed);
  while (frame != no_frame && page_of(frame) != page) {
    frame = slots_[frame].next.load(std::memory_order_relaxed);
  }
  return frame;
}

void FrameTable::hold(FrameId frame) noexcept {
  slots_[frame].state.fetch_add(1, std::memory_order_acquire);
}

bool FrameTable::claim(FrameId frame) noexcept {
  between_steps();
  std::uint32_t nobody = 0;
  return slots_[frame].state.compare_exchange_strong(nobody, claimed_bit,
                                                     std::memory_order_acq_rel);
}

bool FrameTable::reclaim(FrameId frame) noexcept {
  between_steps();
  std::uint32_t ended = detached_bit;
  return slots_[frame].state.compare_exchange_strong(ended, claimed_bit | detached_bit,
                                                     std::memory_order_acq_rel);
}

void FrameTable::enter(FrameId frame, PageId page) noexcept {
  assert(claimed(frame) && detached(frame));
  slots_[frame].page.store(page, std::memory_order_relaxed);
  between_steps();
  slots_[frame].state.fetch_and(~detached_bit, std::memory_order_relaxed);
  between_steps();
  auto& bucket = buckets_[bucket_of(page)];
  slots_[frame].next.store(bucket.load(std::memory_order_relaxed), std::memory_order_release);
  between_steps();
  bucket.store(frame, std::memory_order_release);
  between_steps();
}

void FrameTable::leave(FrameId frame) noexcept {
  assert(claimed(frame));
  if (detached(frame)) return;
  unlink(frame);
  between_steps();
  slots_[frame].state.fetch_or(detached_bit, std::memory_order_relaxed);
  between_steps();
}

// One step: nobody may find it readable and unheld in between.
bool FrameTable::publish(FrameId frame) noexcept {
  const std::uint32_t before =
      slots_[frame].state.fetch_and(~claimed_bit, std::memory_order_acq_rel);
  assert((before & claimed_bit) != 0);
  return before == (claimed_bit | detached_bit);
}

bool FrameTable::detach(FrameId frame) noexcept {
  unlink(frame);
  between_steps();
  return slots_[frame].state.fetch_or(detached_bit, std::memory_order_acq_rel) == 0;
}

void FrameTable::unlink(FrameId frame) noexcept {
  std::atomic<FrameId>* link = &buckets_[bucket_of(page_of(frame))];
  while (link->load(std::memory_order_relaxed) != frame) {
    assert(link->load(std::memory_order_relaxed) != no_frame);
    link = &slots_[link->load(std::memory_order_relaxed)].next;
  }
  link->store(slots_[frame].next.load(std::memory_order_relaxed), std::memory_order_release);
}

}  // namespace pagealloc::cache
