// Walks a structured file and finds what is wrong with it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "pagealloc/page/allocator.h"

namespace pagealloc::slotted {

/// What a page turned out to be.
enum class Condition : std::uint8_t {
  free,
  punched,
  superblock,
  map,
  slotted,
  node,
  overflow,
  damaged,
};
inline constexpr std::size_t conditions = 8;
std::string_view name_of(Condition condition);

struct Verified {
  std::array<std::uint64_t, conditions> pages = {};  ///< of each; those of a run count each
  std::uint64_t violations = 0;
};

/// Is told what the walk finds, as it finds it.
struct Witness {
  std::function<void(const Error&)> violation = {};
  /// A page, or a run of them, with its bytes; of free pages none.
  std::function<void(PageId page, std::uint32_t run, Condition, std::span<const std::byte> bytes)>
      page = {};
};

/// Reads all pages of a file whose allocator was opened: each that is in use must be whole, of a
/// known type, of a transaction that was committed, and make sense; each reference must lead to a
/// record of its own, and, where all pages are whole, each such record to a reference or a root;
/// what was punched must be blank. Errors are those of reading that are no damage: a disk that
/// fails is told as an error, and so is a file that somebody cuts off meanwhile. Changes nothing.
Result<Verified> verify(const page::Allocator& allocator, const Witness& witness);

}  // namespace pagealloc::slotted
