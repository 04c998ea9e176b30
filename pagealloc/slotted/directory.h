// Where the records of a page lie: slots that grow from the front, a heap that grows from the end.
//
//   | header | slots ->        gap        <- heap |
//
//   offset  bytes
//       32      2  slots
//       34      2  heap bytes, to the end of the page; no record lies before them
//       36      2  fragment bytes: of the heap, in no record
//       38      2  of a slotted page: its records; of a node: bytes of the prefix
//       40         the slots, each beginning with
//                    2  where its record lies; 0: it has none
//                    2  bytes of it
//
// All in 16 bits, for pages of up to 65536 bytes: the heap is counted from the end, so that the
// empty one is 0 and not 65536; and a record of no bytes lies at 40, not behind the end.
//
// Nothing here looks at the page's header (page/header.h): that is checked when a page is read and
// written when it is sealed.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "pagealloc/page/field.h"
#include "pagealloc/page/header.h"

namespace pagealloc::slotted {

/// A slot's number in its page.
using SlotId = std::uint16_t;

inline constexpr std::uint32_t slots_begin = 40;

/// A record, or what stands in its place: where the pages are that it was too large for
/// (slotted/overflow.h).
struct Record {
  std::span<const std::byte> bytes = {};
  bool is_reference = false;  ///< bytes are 16, of a Reference
};
inline constexpr std::uint32_t reference_bytes = 16;
inline constexpr std::uint32_t reference_length = 0xffff;  ///< what the page says for its length

/// The length that a page notes for this record, and the bytes that a length stands for.
inline std::uint32_t length_of(const Record& record) noexcept {
  return record.is_reference ? reference_length : static_cast<std::uint32_t>(record.bytes.size());
}
inline std::uint32_t stored_bytes(std::uint32_t length) noexcept {
  return length == reference_length ? reference_bytes : length;
}

/// The numbers of a page, as they stand: what is read of a page that check() was not told of may
/// make no sense, but nothing outside the page is read, whatever its bytes are.
class Directory {
 public:
  /// Precondition: bytes.size() is a page size.
  Directory(std::span<const std::byte> bytes, std::uint32_t slot_bytes) noexcept
      : bytes_(bytes.data()),
        page_bytes_(static_cast<std::uint32_t>(bytes.size())),
        slot_bytes_(slot_bytes) {}

  std::span<const std::byte> bytes() const noexcept { return {bytes_, page_bytes_}; }
  std::uint32_t page_bytes() const noexcept { return page_bytes_; }
  std::uint32_t slot_bytes() const noexcept { return slot_bytes_; }

  /// No more than there is room for.
  std::uint32_t slots() const noexcept {
    return std::min(number(at_slots), (page_bytes_ - slots_begin) / slot_bytes_);
  }
  /// No more than there is room for.
  std::uint32_t heap_bytes() const noexcept {
    return std::min(number(at_heap), page_bytes_ - slots_begin);
  }
  std::uint32_t fragment_bytes() const noexcept { return number(at_fragments); }
  std::uint32_t extra() const noexcept { return number(at_extra); }

  std::uint32_t slots_end() const noexcept { return at(slots()); }
  std::uint32_t heap_begin() const noexcept { return page_bytes_ - heap_bytes(); }
  /// Between the slots and the heap. Precondition: the page was checked.
  std::uint32_t gap_bytes() const noexcept { return heap_begin() - slots_end(); }
  /// What the gap would be after a compaction. Precondition: the page was checked.
  std::uint32_t free_bytes() const noexcept { return gap_bytes() + fragment_bytes(); }

  /// Where a slot lies. The two after it: what it says. Precondition: slot < slots().
  std::uint32_t at(std::uint32_t slot) const noexcept { return slots_begin + slot * slot_bytes_; }
  std::uint32_t offset_of(std::uint32_t slot) const noexcept { return number(at(slot)); }
  std::uint32_t length_of(std::uint32_t slot) const noexcept { return number(at(slot) + 2); }

  /// Do slots and heap fit into the page, and side by side? If not, what is wrong.
  std::optional<page::Damage> wrong_numbers() const;

 protected:
  static constexpr std::uint32_t at_slots = 32;
  static constexpr std::uint32_t at_heap = 34;
  static constexpr std::uint32_t at_fragments = 36;
  static constexpr std::uint32_t at_extra = 38;

  std::uint32_t number(std::uint32_t at) const noexcept {
    assert(at + 2 <= page_bytes_);
    return page::load<std::uint16_t>(bytes_ + at);
  }

 private:
  const std::byte* bytes_;
  std::uint32_t page_bytes_;
  std::uint32_t slot_bytes_;
};

/// The same of a page that is this program's to change.
class MutableDirectory : public Directory {
 public:
  MutableDirectory(std::span<std::byte> bytes, std::uint32_t slot_bytes) noexcept
      : Directory(bytes, slot_bytes), bytes_(bytes.data()) {}

  std::byte* data() const noexcept { return bytes_; }
  void set_slots(std::uint32_t value) const noexcept { set(at_slots, value); }
  void set_heap_bytes(std::uint32_t value) const noexcept { set(at_heap, value); }
  void set_fragment_bytes(std::uint32_t value) const noexcept { set(at_fragments, value); }
  void set_extra(std::uint32_t value) const noexcept { set(at_extra, value); }
  void set_slot(std::uint32_t slot, std::uint32_t offset, std::uint32_t length) const noexcept {
    set(at(slot), offset);
    set(at(slot) + 2, length);
  }
  /// Nothing is in it: no slots, no heap.
  void clear() const noexcept;

 private:
  void set(std::uint32_t at, std::uint32_t value) const noexcept {
    assert(at + 2 <= page_bytes() && "the slots end where the page ends");
    assert(value <= UINT16_MAX && "the numbers of a page have 16 bits");
    page::store(bytes_ + at, static_cast<std::uint16_t>(value));
  }
  std::byte* bytes_;
};

/// Which bytes of a page belong to a record: none to two. One at a time in a thread.
class Owners {
 public:
  explicit Owners(std::uint32_t page_bytes) noexcept;
  /// Do these bytes belong to nobody yet? They do now. Precondition: they are in the page.
  bool take(std::uint32_t offset, std::uint32_t bytes) noexcept;
};

/// A copy of a page's heap, while its records are put in their places anew. One at a time in a
/// thread.
class Scratch {
 public:
  explicit Scratch(const Directory& directory) noexcept;
  /// The bytes that were at this offset of the page. Precondition: in its heap.
  const std::byte* at(std::uint32_t offset) const noexcept { return copy_ + offset; }

 private:
  std::byte* copy_;
};

}  // namespace pagealloc::slotted
