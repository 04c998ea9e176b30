#include "pagealloc/slotted/page.h"

#include <fmt/format.h>

#include <cstring>

namespace pagealloc::slotted {

namespace {

constexpr std::uint32_t no_record = 0;  // as an offset

}  // namespace

// --- Reading ------------------------------------------------------------------------------------

std::expected<PageView, page::Damage> PageView::open(std::span<const std::byte> bytes) {
  // LAB:BEGIN 8 PageView::open(bytes)
  const PageView page(bytes);
  const Directory& directory = page.directory();
  if (auto wrong = directory.wrong_numbers()) return std::unexpected(std::move(*wrong));
  Owners owners(directory.page_bytes());
  std::uint32_t used_bytes = 0;
  std::uint32_t records = 0;
  for (std::uint32_t slot = 0; slot < directory.slots(); ++slot) {
    const std::uint32_t offset = directory.offset_of(slot);
    const std::uint32_t bytes_there = stored_bytes(directory.length_of(slot));
    const auto damage = [&](const char* what) {
      return std::unexpected(page::Damage{
          directory.at(slot),
          fmt::format("slot {}: {} bytes at {}, {}", slot, bytes_there, offset, what)});
    };
    if (offset == no_record && bytes_there != 0) return damage("and no record can lie at 0");
    if (offset == no_record) continue;
    ++records;
    used_bytes += bytes_there;
    if (bytes_there == 0 && offset != slots_begin) return damage("where none lie at 40");
    if (bytes_there == 0) continue;
    if (offset < directory.heap_begin() || offset + bytes_there > directory.page_bytes()) {
      return damage("outside of the heap");
    }
    if (!owners.take(offset, bytes_there)) return damage("which another record has as well");
  }
  if (records != page.records()) {
    return std::unexpected(page::Damage{
        38, fmt::format("{} records, but {} slots have one", page.records(), records)});
  }
  if (used_bytes + directory.fragment_bytes() != directory.heap_bytes()) {
    return std::unexpected(page::Damage{
        36, fmt::format("records of {} bytes and {} of fragments, in a heap of {}", used_bytes,
                        directory.fragment_bytes(), directory.heap_bytes())});
  }
  return page;
  // LAB:END
}

std::optional<Record> PageView::get(SlotId slot) const noexcept {
  // LAB:BEGIN 3 PageView::get(slot)
  if (slot >= directory_.slots()) return {};
  const std::uint32_t offset = directory_.offset_of(slot);
  const std::uint32_t length = directory_.length_of(slot);
  const std::uint32_t bytes = stored_bytes(length);
  if (offset == no_record || offset + bytes > directory_.page_bytes()) return {};
  return Record{directory_.bytes().subspan(offset, bytes), length == reference_length};
  // LAB:END
}

// --- Changing -----------------------------------------------------------------------------------

Page Page::make(std::span<std::byte> bytes) noexcept {
  Page page(bytes);
  page.mutable_.clear();
  return page;
}

std::expected<Page, page::Damage> Page::open(std::span<std::byte> bytes) {
  if (auto viewed = PageView::open(bytes); !viewed) return std::unexpected(viewed.error());
  return Page(bytes);
}

std::optional<SlotId> Page::insert(const Record& record) noexcept {
  // LAB:BEGIN 3 Page::insert(record)
  const auto erased = erased_slot();
  const std::uint32_t needed_bytes =
      static_cast<std::uint32_t>(record.bytes.size()) + (erased ? 0 : slot_bytes);
  if (record.bytes.size() > mutable_.page_bytes() || needed_bytes > mutable_.free_bytes()) {
    return {};
  }
  if (needed_bytes > mutable_.gap_bytes()) compact();
  const std::uint32_t slot = erased ? *erased : mutable_.slots();
  if (!erased) mutable_.set_slots(slot + 1);
  place(slot, record);
  mutable_.set_extra(records() + 1);
  return static_cast<SlotId>(slot);
  // LAB:END
}

std::optional<SlotId> Page::erased_slot() const noexcept {
  // LAB:BEGIN 3 Page::erased_slot()
  if (cursors_ > 0 || records() == slots()) return {};
  std::uint32_t slot = 0;
  while (mutable_.offset_of(slot) != no_record) ++slot;
  return static_cast<SlotId>(slot);
  // LAB:END
}

void Page::place(std::uint32_t slot, const Record& record) noexcept {
  // LAB:BEGIN 3 Page::place(slot, record)
  const auto bytes = static_cast<std::uint32_t>(record.bytes.size());
  if (bytes == 0) return mutable_.set_slot(slot, slots_begin, 0);
  const std::uint32_t offset = mutable_.heap_begin() - bytes;
  std::memcpy(mutable_.data() + offset, record.bytes.data(), bytes);
  mutable_.set_heap_bytes(mutable_.heap_bytes() + bytes);
  mutable_.set_slot(slot, offset, length_of(record));
  // LAB:END
}

bool Page::erase(SlotId slot) noexcept {
  // LAB:BEGIN 4 Page::erase(slot)
  const auto old = get(slot);
  if (!old) return false;
  mutable_.set_fragment_bytes(mutable_.fragment_bytes() +
                              static_cast<std::uint32_t>(old->bytes.size()));
  mutable_.set_slot(slot, no_record, 0);
  mutable_.set_extra(records() - 1);
  drop_last_slots();
  return true;
  // LAB:END
}

void Page::drop_last_slots() noexcept {
  // LAB:BEGIN 4 Page::drop_last_slots()
  if (cursors_ > 0) return;
  std::uint32_t slots = mutable_.slots();
  while (slots > 0 && mutable_.offset_of(slots - 1) == no_record) --slots;
  mutable_.set_slots(slots);
  // LAB:END
}

void Page::compact() noexcept {
  // LAB:BEGIN 5 Page::compact()
  const Scratch before(mutable_);
  mutable_.set_heap_bytes(0);
  mutable_.set_fragment_bytes(0);
  for (std::uint32_t slot = 0; slot < mutable_.slots(); ++slot) {
    const std::uint32_t length = mutable_.length_of(slot);
    const std::uint32_t bytes = stored_bytes(length);
    if (bytes == 0) continue;  // erased, or a record of no bytes
    place(slot, {{before.at(mutable_.offset_of(slot)), bytes}, length == reference_length});
  }
  // LAB:END
}

bool Page::update(SlotId slot, const Record& record) noexcept {
  // LAB:BEGIN 6 Page::update(slot, record)
  const auto old = get(slot);
  if (!old) return false;
  if (record.bytes.size() > mutable_.page_bytes()) return false;  // of a span, which has 64 bits
  const auto old_bytes = static_cast<std::uint32_t>(old->bytes.size());
  const auto new_bytes = static_cast<std::uint32_t>(record.bytes.size());
  if (new_bytes <= old_bytes && new_bytes > 0) {
    const std::uint32_t offset = mutable_.offset_of(slot);
    std::memcpy(mutable_.data() + offset, record.bytes.data(), new_bytes);
    mutable_.set_slot(slot, offset, length_of(record));
    mutable_.set_fragment_bytes(mutable_.fragment_bytes() + old_bytes - new_bytes);
    return true;
  }
  // Before anything goes: the old record's bytes count as free, but only once it is sure.
  if (record.bytes.size() > mutable_.free_bytes() + old_bytes) return false;
  mutable_.set_fragment_bytes(mutable_.fragment_bytes() + old_bytes);
  mutable_.set_slot(slot, slots_begin, 0);
  if (new_bytes > mutable_.gap_bytes()) compact();
  place(slot, record);
  return true;
  // LAB:END
}

std::optional<std::uint32_t> Page::room() const noexcept {
  // LAB:BEGIN 7 Page::room()
  const std::uint32_t slot = erased_slot() ? 0 : slot_bytes;
  if (mutable_.free_bytes() < slot) return {};
  return mutable_.free_bytes() - slot;
  // LAB:END
}

std::optional<std::pair<SlotId, Record>> Page::Cursor::next() noexcept {
  // LAB:BEGIN 7 Page::Cursor::next()
  while (next_ < page_.slots()) {
    const auto slot = static_cast<SlotId>(next_++);
    if (const auto record = page_.get(slot)) return std::pair(slot, *record);
  }
  return {};
  // LAB:END
}

}  // namespace pagealloc::slotted
