#include "pagealloc/slotted/page.h"
#include "labs/not_started.h"

#include <fmt/format.h>

#include <cstring>

namespace pagealloc::slotted {

namespace {

constexpr std::uint32_t no_record = 0;  // as an offset

}  // namespace

// --- Reading ------------------------------------------------------------------------------------

std::expected<PageView, page::Damage> PageView::open(std::span<const std::byte> bytes) {
  // Task 8.
  labs::not_started("PageView::open", bytes);
}

std::optional<Record> PageView::get(SlotId slot) const noexcept {
  // Task 3.
  labs::not_started("PageView::get", slot);
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
  // Task 3.
  labs::not_started("Page::insert", record);
}

std::optional<SlotId> Page::erased_slot() const noexcept {
  // Task 3.
  labs::not_started("Page::erased_slot");
}

void Page::place(std::uint32_t slot, const Record& record) noexcept {
  // Task 3.
  labs::not_started("Page::place", slot, record);
}

bool Page::erase(SlotId slot) noexcept {
  // Task 4.
  labs::not_started("Page::erase", slot);
}

void Page::drop_last_slots() noexcept {
  // Task 4.
  labs::not_started("Page::drop_last_slots");
}

void Page::compact() noexcept {
  // Task 5.
  labs::not_started("Page::compact");
}

bool Page::update(SlotId slot, const Record& record) noexcept {
  // Task 6.
  labs::not_started("Page::update", slot, record);
}

std::optional<std::uint32_t> Page::room() const noexcept {
  // Task 7.
  labs::not_started("Page::room");
}

std::optional<std::pair<SlotId, Record>> Page::Cursor::next() noexcept {
  // Task 7.
  labs::not_started("Page::Cursor::next");
}

}  // namespace pagealloc::slotted
