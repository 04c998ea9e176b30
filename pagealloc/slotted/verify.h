// Walks a structured file and finds what is wrong with it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "pagealloc/page/allocator.h"

namespace pagealloc::slotted {

/// How many pages of each kind there are; those of a run count each.
struct Found {
  std::uint64_t pages = 0;
  std::array<std::uint64_t, 6> by_type = {};  ///< of those in use and whole, by page::Type
  std::uint64_t free = 0;
  std::uint64_t punched = 0;
  std::uint64_t damaged = 0;  ///< in use and not whole
};

struct Verified {
  Found found;
  std::uint64_t violations = 0;
};

/// Is told of each violation, as it is found; and how far the walk has come.
struct Witness {
  std::function<void(const Error&)> violation = {};
  std::function<void(PageId page, std::uint64_t pages)> progress = {};
};

/// Reads all pages of a file whose allocator was opened: each that is in use must be whole, of a
/// known type, of a transaction that was committed, and make sense; each reference must lead to a
/// record of its own, and each such record to a reference or a root; what was punched must be
/// blank. Errors are those of reading that are no damage: a disk that fails is told as an error,
/// and so is a file that somebody cuts off meanwhile. Changes nothing.
Result<Verified> verify(const page::Allocator& allocator, const Witness& witness);

}  // namespace pagealloc::slotted
