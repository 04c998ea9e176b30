#include "pagealloc/cache/write_back.h"

#include <algorithm>

#include "labs/not_started.h"
#include "pagealloc/pieces.h"

namespace pagealloc::cache {

namespace {

constexpr std::size_t transfer_bytes_max = 256U << 10;

/// How many pages at the front follow each other in the file.
std::size_t neighbours(std::span<const Dirty> pages, std::size_t max) {
  // Task 5.
  labs::not_started("neighbours", pages, max);
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
  // Task 5.
  labs::not_started("WriteBack::run", pages_max, neighbours);
}

void WriteBack::begin(std::span<const Dirty> pages) noexcept {
  // Task 5.
  labs::not_started("WriteBack::begin", pages);
}

void WriteBack::written(Batch& batch) noexcept {
  // Task 5.
  labs::not_started("WriteBack::written", batch);
}

}  // namespace pagealloc::cache
