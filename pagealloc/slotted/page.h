// A slotted page: records of any length, each known by a slot whose number never changes.
//
//   | header | slots ->        gap        <- heap |
//
// A slot says where its record lies (directory.h), so that compaction moves records and nobody who
// holds a slot's number notices. An erased slot stays, without a record, until it is given to
// another one; slots at the end go with their records.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <utility>

#include "pagealloc/slotted/directory.h"

namespace pagealloc::slotted {

/// A page to be looked at. Thread safe as long as nobody changes the page.
class PageView {
 public:
  static constexpr std::uint32_t slot_bytes = 4;

  /// Takes any bytes: answers with what is wrong with them, or with a page that is whole in all
  /// that this file promises. Time is linear in the slots. Precondition: bytes.size() is a page
  /// size. Looks at nothing before byte 32: the header is page::check()'s. Erased slots may be
  /// anywhere, and the heap may begin with a fragment.
  static std::expected<PageView, page::Damage> open(std::span<const std::byte> bytes);

  /// The record of a slot; nothing when the slot is erased or there is none, nor when the page has
  /// been made to say that it lies outside of it. Valid until the page changes.
  std::optional<Record> get(SlotId slot) const noexcept;
  /// Slots, with those that are erased.
  std::uint32_t slots() const noexcept { return directory_.slots(); }
  std::uint32_t records() const noexcept { return directory_.extra(); }
  const Directory& directory() const noexcept { return directory_; }

 protected:
  explicit PageView(std::span<const std::byte> bytes) noexcept : directory_(bytes, slot_bytes) {}

 private:
  Directory directory_;
};

/// A page that is this program's to change. Belongs to one thread.
class Page : public PageView {
 public:
  /// Makes these bytes a page without records. Precondition: bytes.size() is a page size.
  static Page make(std::span<std::byte> bytes) noexcept;
  /// As PageView::open.
  static std::expected<Page, page::Damage> open(std::span<std::byte> bytes);

  /// Adds a record, in the lowest slot that is erased or in a new one; nothing when it does not fit
  /// even after a compaction, and then nothing has changed. Precondition: the record's bytes are
  /// not in this page.
  std::optional<SlotId> insert(const Record& record) noexcept;
  /// Replaces a slot's record, at the same offset when the new one is not longer; compacts only
  /// when the gap is too small. False when there is none, or when the new one does not fit, and
  /// then nothing has changed. Precondition: the record's bytes are not in this page.
  bool update(SlotId slot, const Record& record) noexcept;
  /// Moves no record; slots at the end that have none go, here and nowhere else. False when there
  /// is no record.
  bool erase(SlotId slot) noexcept;
  /// Puts the records side by side at the end of the page. No slot changes its number.
  void compact() noexcept;

  /// Bytes of the longest record that insert() would take now, if it takes one at all.
  std::optional<std::uint32_t> room() const noexcept;

  /// Goes through the records in the order of their slots. While there is one, no erased slot is
  /// given to another record and none disappears, so that it never meets a record twice, or one
  /// under another's number; what is inserted meanwhile is behind it, and met. It must not outlive
  /// its page, which must not be moved meanwhile.
  class Cursor {
   public:
    explicit Cursor(Page& page) noexcept : page_(page) { ++page_.cursors_; }
    Cursor(const Cursor&) = delete;
    Cursor& operator=(const Cursor&) = delete;
    ~Cursor() { --page_.cursors_; }
    /// The next record, valid until the page changes; nothing after the last one.
    std::optional<std::pair<SlotId, Record>> next() noexcept;

   private:
    Page& page_;
    std::uint32_t next_ = 0;
  };

 private:
  explicit Page(std::span<std::byte> bytes) noexcept
      : PageView(bytes), mutable_(bytes, slot_bytes) {}

  /// An erased slot that may be given away.
  std::optional<SlotId> erased_slot() const noexcept;
  /// Copies the record to the front of the heap, for this slot. Precondition: the gap has room.
  void place(std::uint32_t slot, const Record& record) noexcept;
  /// Slots at the end that are erased go.
  void drop_last_slots() noexcept;

  MutableDirectory mutable_;
  unsigned cursors_ = 0;
};

}  // namespace pagealloc::slotted
