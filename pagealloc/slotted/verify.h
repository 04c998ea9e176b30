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
  unknown,  ///< nobody can tell whether it is in use, and it is no page that is whole
  damaged,
};
inline constexpr std::size_t conditions = 9;
std::string_view name_of(Condition condition);

struct Verified {
  std::array<std::uint64_t, conditions> pages = {};  ///< of each; those of a run count each
  std::uint64_t violations = 0;
};

/// Is told what the walk finds, as it finds it.
struct Witness {
  std::function<void(const Error&)> violation = {};
  /// A page, or a run of them, with its bytes; of what holds nothing to be read, none.
  std::function<void(PageId page, std::uint32_t run, Condition, std::span<const std::byte> bytes)>
      page = {};
};

/// Reads all pages of a file whose allocator was opened: each that is in use must be whole, of a
/// known type, of a transaction that was committed, and make sense; each reference must lead to a
/// record of its own, and, where all pages are whole, each such record to a reference or a root;
/// what was punched must be blank. Errors are those of reading that are no damage: a disk that
/// fails is told as an error, and so is a file that somebody cuts off meanwhile. Changes nothing.
Result<Verified> verify(const page::Allocator& allocator, const Witness& witness);

/// What can be found in a file whose allocator cannot be opened: `why`, and each page by itself
/// that says at its place that it is this page. Some of them may be free, and a damage among those
/// is none; the others are `unknown`. References are not judged. Errors as verify().
Result<Verified> verify_unmapped(PageFile& file, const Error& why, const Witness& witness);

}  // namespace pagealloc::slotted
