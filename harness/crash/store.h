// What the crash driver can put to the test: anything that commits numbered transactions to a page
// file. A store knows nothing of who runs it, or on which kernel.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pagealloc/open.h"

namespace pagealloc::crash {

class Store {
 public:
  virtual ~Store() = default;

  /// Opens the file, making it if it is not there, and finds the last commit that it holds. An
  /// error when it can tell that this cannot be what any history of commits leaves.
  virtual Result<void> open(const std::string& path, const Options& options) = 0;
  /// Commits transaction `number`, one more than the last. When this returns without an error the
  /// commit is acknowledged: whatever happens then, it must not be lost.
  virtual Result<void> commit(std::uint64_t number) = 0;
  /// The last commit found by open() or made since; 0: none.
  virtual std::uint64_t last() const = 0;
  /// What the last commit wrote, nothing when there is none; an error when the store can tell that
  /// it is not. The caller compares it with the model.
  virtual Result<std::vector<std::byte>> read() = 0;
};

/// A store that can be made by name: the correct one, or one with a mistake.
struct StoreKind {
  std::string_view name;
  std::string_view mistake;    ///< what a student should read; empty: there is none
  std::string_view caught_by;  ///< the oracles that may find the mistake
  std::uint64_t seeds_max;     ///< so many seeds find it, on every way where it is one
  std::unique_ptr<Store> (*make)();
  /// The model: all the bytes that are there after commit `number`, which is not 0.
  std::vector<std::byte> (*contents)(std::uint64_t number);
  /// The mistake is below the store: nobody looks whether a write was short.
  bool takes_short_for_whole = false;
  /// Of what a torn write may leave, one state in so many is looked at. A store that has many
  /// writes under way leaves more than can be kept.
  std::uint64_t torn_one_in = 1;
};

}  // namespace pagealloc::crash
