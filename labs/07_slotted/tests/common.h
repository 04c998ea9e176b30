// Pages made by hand and read by hand, so that no test needs what it does not test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "labs/grader/grader.h"
#include "pagealloc/page/header.h"
#include "pagealloc/slotted/page.h"

namespace pagealloc::labs {

using slotted::Record;
using slotted::SlotId;

inline constexpr std::uint32_t page_sizes[] = {512, 1024, 2048, 4096, 8192, 16384, 32768, 65536};

/// Memory of a page, or of a run. Who touches a byte behind it is ended by the processor; a byte
/// before it is found by untouched().
class Guarded {
 public:
  explicit Guarded(std::size_t bytes);
  explicit Guarded(std::span<const std::byte> content);
  ~Guarded();
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  std::span<std::byte> bytes() const { return {begin_, count_}; }
  bool untouched() const;

 private:
  static constexpr std::byte filler{0xEE};
  std::byte* map_;
  std::size_t map_bytes_;
  std::byte* begin_;
  std::size_t count_;
};

/// What a slot has: a record, a reference, or nothing because it was erased.
struct Entry {
  std::optional<std::string> bytes = {};
  bool is_reference = false;
  bool operator==(const Entry&) const = default;
};
using Entries = std::vector<Entry>;

Record record_of(const Entry& entry);
Entry entry_of(const std::optional<Record>& record);
/// "'abc', 3 bytes"; "a reference"; "erased".
std::string text_of(const Entry& entry);
std::string bytes_text(std::uint64_t count);  // "1 byte", "2 bytes"
/// Letters that say which record they are of.
std::string record_text(Test& t, std::size_t bytes);

/// How build() lays a page out.
struct Layout {
  std::uint32_t fragment_bytes = 0;  ///< behind each record
  bool first_is_highest = true;      ///< the record of slot 0 at the end; else of the last slot
};
/// A page with these entries, made without a line of the exercise; its gap is not blank.
void build(std::span<std::byte> page, const Entries& entries, const Layout& layout = {});

/// The four numbers of a page.
struct Numbers {
  std::uint32_t slots, heap_bytes, fragment_bytes, records;
  bool operator==(const Numbers&) const = default;
};
Numbers numbers_of(std::span<const std::byte> page);
/// Where a slot says that its record lies, and of what length.
struct Slot {
  std::uint32_t offset, length;
  bool operator==(const Slot&) const = default;
};
Slot slot_of(std::span<const std::byte> page, std::uint32_t slot);
/// Bytes between slots and heap, and those of fragments with them, as the page says.
std::uint32_t gap_bytes(std::span<const std::byte> page);
std::uint32_t free_bytes(std::span<const std::byte> page);

/// Who is asked when something is wrong.
struct Blame {
  const char* function;
  std::string cause;
};
/// Has the page these entries, and do its numbers add up? One check. A test that needs all bytes
/// of the page to be accounted for needs nothing else.
void expect_page(Test& t, std::span<const std::byte> page, const Entries& entries,
                 const Blame& blame);
/// Are these the same bytes as before? One check.
void expect_unchanged(Test& t, std::span<const std::byte> page,
                      const std::vector<std::byte>& before, const Blame& blame);
/// A page made anew of these entries, and what was found, drawn side by side.
std::string drawn(const Entries& expected, std::span<const std::byte> found);

std::vector<std::byte> copy_of(std::span<const std::byte> bytes);
/// A page that nobody has looked at: open() is of task 8.
slotted::Page trusted(std::span<std::byte> page);

}  // namespace pagealloc::labs
