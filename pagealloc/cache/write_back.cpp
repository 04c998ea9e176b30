#include "pagealloc/cache/write_back.h"

#include <algorithm>

#include "pagealloc/pieces.h"

namespace pagealloc::cache {

namespace {

constexpr std::size_t transfer_bytes_max = 256U << 10;

/// How many pages at the front follow each other in the file.
std::size_t neighbours(std::span<const Dirty> pages, std::size_t max) {
  // LAB:BEGIN 5 neighbours(pages, max)
  std::size_t count = 1;
  while (count < std::min(max, pages.size()) && pages[count].page == pages[0].page + count) ++count;
  return count;
  // LAB:END
}

}  // namespace

WriteBack::WriteBack(Cache& cache, IoEngine& engine)
    : cache_(cache),
      engine_(engine),
      pages_of_transfer_max_(std::min<std::size_t>(
          transfer_bytes_max / engine.shared().geometry().page_bytes, pieces_max)),
      batches_(transfers_max, Batch(*this)) {
  idle_.reserve(transfers_max);
  for (Batch& batch : batches_) {
    batch.pieces.reserve(pages_of_transfer_max_);
    idle_.push_back(&batch);
  }
}

blocking::Outcome WriteBack::run(std::size_t pages_max) noexcept {
  // LAB:BEGIN 5 WriteBack::run(pages_max, neighbours)
  cache_.turn().take();
  outcome_ = {};
  SharedFile& shared = engine_.shared();
  std::span<const Dirty> left = cache_.take_dirty(pages_max);
  while (!left.empty() && shared.failed() != Errc::poisoned) {
    if (idle_.empty()) {
      engine_.advance(1);
      deliver(engine_);
      continue;  // what has come back may have failed
    }
    const std::size_t count = neighbours(left, pages_of_transfer_max_);
    begin(left.first(count));
    left = left.subspan(count);
  }
  while (idle_.size() < transfers_max) {
    engine_.advance(1);
    deliver(engine_);
  }
  cache_.written(left, false);
  const blocking::Outcome outcome = outcome_;
  cache_.turn().give_back();
  if (shared.failed() == Errc::poisoned) cache_.drop_all();
  return outcome;
  // LAB:END
}

void WriteBack::begin(std::span<const Dirty> pages) noexcept {
  // LAB:BEGIN 5 WriteBack::begin(pages)
  const std::size_t page_bytes = engine_.shared().geometry().page_bytes;
  Batch& batch = *idle_.back();
  idle_.pop_back();
  batch.pages = pages;
  batch.pieces.clear();
  for (const Dirty& dirty : pages) {
    batch.pieces.push_back({cache_.table().memory_of(dirty.frame), page_bytes});
  }
  batch.begin(engine_, Verb::write, pages.front().page);
  deliver(engine_);
  // LAB:END
}

void WriteBack::written(Batch& batch) noexcept {
  // LAB:BEGIN 5 WriteBack::written(batch)
  // Whatever the reason: a page that was taken and cannot be written is lost.
  const bool good = batch.result == Errc::ok;
  if (!good) engine_.shared().poison();
  if (!good && outcome_.result == Errc::ok) outcome_ = {Errc::io, batch.os_error};
  cache_.written(batch.pages, good);
  idle_.push_back(&batch);
  // LAB:END
}

}  // namespace pagealloc::cache
