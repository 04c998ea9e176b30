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
  /// error when what it holds cannot be what any history of commits leaves.
  virtual Result<void> open(const std::string& path, const Options& options) = 0;
  /// Commits transaction `number`, one more than the last. When this returns without an error the
  /// commit is acknowledged: whatever happens then, it must not be lost.
  virtual Result<void> commit(std::uint64_t number) = 0;
  /// The last commit found by open() or made since; 0: none.
  virtual std::uint64_t last() const = 0;
  /// Reads all that the commits up to last() have written, and compares: the model is that commit n
  /// writes contents(n).
  virtual Result<void> check() = 0;
};

/// The bytes that commit `number` writes.
std::vector<std::byte> contents(std::uint64_t number, std::size_t bytes);

/// A store that can be made by name: the correct one, or one with a mistake.
struct StoreKind {
  std::string_view name;
  std::string_view mistake;  ///< what a student should read; empty: there is none
  std::unique_ptr<Store> (*make)();
};

}  // namespace pagealloc::crash
