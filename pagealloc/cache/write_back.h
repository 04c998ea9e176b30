// Brings dirty pages to the file: in the order of their numbers, neighbours together, several
// transfers at a time, and none left under way.
#pragma once

#include <array>
#include <cstddef>

#include "pagealloc/cache/cache.h"
#include "pagealloc/cache/transfer.h"

namespace pagealloc::cache {

class WriteBack {
 public:
  /// So many transfers of an engine at most.
  static constexpr std::size_t transfers_max = 16;

  WriteBack(Cache& cache, IoEngine& engine);
  WriteBack(const WriteBack&) = delete;
  WriteBack& operator=(const WriteBack&) = delete;

  /// Writes at most `pages_max` dirty pages and returns when they have been written, or why the
  /// first that was not could not be; whatever else of the engine ends meanwhile is delivered. The
  /// first that fails poisons the file, and its cache is dropped. Takes the turn, and gives it
  /// back: what is being written back can be waited for by other handles, because nobody returns to
  /// his caller while it is under way.
  blocking::Outcome run(std::size_t pages_max) noexcept;

 private:
  struct Batch final : Transfer {
    explicit Batch(WriteBack& its_owner) : Transfer(&its_owner), write_back(&its_owner) {}
    void ended() noexcept override { write_back->written(*this); }
    WriteBack* write_back;
    std::span<const Dirty> pages;
  };
  void begin(std::span<const Dirty> pages) noexcept;
  void written(Batch& batch) noexcept;

  Cache& cache_;
  IoEngine& engine_;
  std::size_t pages_of_transfer_max_;
  std::vector<Batch> batches_;
  std::vector<Batch*> idle_;
  blocking::Outcome outcome_;  // of this run
};

}  // namespace pagealloc::cache
