// Which pages are free, in memory: two bits for each page, as they lie in the file, and one more
// for those that must not be handed out now.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "pagealloc/error.h"

namespace pagealloc::page {

enum class State : std::uint8_t {
  free = 0,
  used = 1,     ///< and the first page of its run
  punched = 2,  ///< free, and its blocks are the file system's
  inside = 3,   ///< used, behind the first page of its run
};
/// "free". Thread safe.
std::string_view name_of(State state);

/// Belongs to one thread. Preconditions are asserted: who asks, has checked.
class FreeMap {
 public:
  std::uint64_t pages() const noexcept { return pages_; }
  /// New pages are free. Precondition: those that are cut off are.
  void resize(std::uint64_t pages);

  /// Precondition: page < pages().
  State at(PageId page) const noexcept;
  /// Pages of the run that begins here. Precondition: at(page) is used.
  std::uint32_t run_of(PageId page) const noexcept;
  /// Behind the last page in use; 0: none is.
  std::uint64_t used_end() const noexcept;

  /// The lowest run of so many pages that are free and not held.
  std::optional<PageId> find(std::uint32_t run) noexcept;
  /// A low page that is free, not held and not punched, so that nothing has to be written before
  /// it can be used; a punched one if there are only those for far.
  std::optional<PageId> find_with_blocks() noexcept;
  /// Precondition: free, and not held.
  void take(PageId page, std::uint32_t run) noexcept;
  /// Frees the run that begins here and returns its length. When `held`, it is free and still not
  /// to be handed out. Precondition: at(page) is used.
  std::uint32_t release(PageId page, bool held) noexcept;
  /// From now on these may be handed out. Precondition: released and held.
  void unhold(PageId page, std::uint32_t run) noexcept;
  bool is_held(PageId page) const noexcept;
  /// Free becomes punched. Precondition: free, and not held.
  void punch(PageId page) noexcept;

  /// The states of pages first ... in four pages a byte, as they lie in the file; zeros beyond the
  /// end. Precondition: first is a multiple of 4.
  void encode(PageId first, std::span<std::byte> bytes) const noexcept;
  /// The other way, for pages below pages(), which are free before.
  void decode(PageId first, std::span<const std::byte> bytes) noexcept;

 private:
  void put(PageId page, State state) noexcept;
  void mark(PageId page, bool busy) noexcept;
  bool is_busy(PageId page) const noexcept { return (busy_[page / 64] >> page % 64 & 1) != 0; }

  std::uint64_t pages_ = 0;
  std::vector<std::byte> states_;    // four pages each
  std::vector<std::uint64_t> busy_;  // a bit for each page that is used, held or beyond the end
  PageId lowest_ = 0;                // no page before it can be handed out
};

}  // namespace pagealloc::page
