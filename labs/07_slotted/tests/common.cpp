#include "labs/07_slotted/tests/common.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "pagealloc/page/field.h"
#include "pagealloc/slotted/drawing.h"

namespace pagealloc::labs {

namespace {

constexpr std::size_t hardware_page_bytes = 4096;
constexpr std::uint32_t numbers_begin = 32;
constexpr std::uint32_t slots_begin = 40;
constexpr std::uint32_t slot_bytes = 4;
constexpr std::uint32_t reference_length = 0xffff;
constexpr std::uint32_t reference_bytes = 16;

std::uint32_t number(std::span<const std::byte> page, std::size_t at) {
  return page::load<std::uint16_t>(page.data() + at);
}
void put(std::span<std::byte> page, std::size_t at, std::uint32_t value) {
  page::store(page.data() + at, static_cast<std::uint16_t>(value));
}

struct Problem {
  std::string expected;
  std::string found;
};

std::string where(const Slot& slot) {
  return fmt::format("length {:#x} at {}", slot.length, slot.offset);
}

std::optional<Problem> wrong_slot(std::span<const std::byte> page, std::uint32_t at,
                                  const Entry& entry) {
  const Slot slot = slot_of(page, at);
  const auto problem = [&](std::string found) {
    return Problem{fmt::format("slot {}: {}", at, text_of(entry)),
                   fmt::format("slot {}: {}", at, found)};
  };
  if (!entry.bytes) {
    if (slot == Slot{0, 0}) return {};
    return problem(where(slot));
  }
  if (slot.offset == 0) return problem("erased");
  const std::uint32_t length =
      entry.is_reference ? reference_length : static_cast<std::uint32_t>(entry.bytes->size());
  if (slot.length != length) return problem(where(slot));
  if (length == 0) {
    if (slot.offset == slots_begin) return {};
    return problem(where(slot) + ", where a record of no bytes lies at 40");
  }
  const auto bytes = static_cast<std::uint32_t>(entry.bytes->size());
  const std::uint32_t heap_begin =
      static_cast<std::uint32_t>(page.size()) - numbers_of(page).heap_bytes;
  if (slot.offset < heap_begin || slot.offset + bytes > page.size()) {
    return problem(
        fmt::format("{}, and the heap is from {} to {}", where(slot), heap_begin, page.size()));
  }
  if (std::memcmp(page.data() + slot.offset, entry.bytes->data(), bytes) == 0) return {};
  const std::string found(reinterpret_cast<const char*>(page.data() + slot.offset), bytes);
  return problem(text_of(Entry{found, entry.is_reference}));
}

/// Two records that have a byte together.
std::optional<Problem> overlap(std::span<const std::byte> page, const Entries& entries) {
  std::vector<std::uint32_t> owner(page.size(), UINT32_MAX);
  for (std::uint32_t at = 0; at < entries.size(); ++at) {
    if (!entries[at].bytes) continue;
    for (std::size_t i = 0; i < entries[at].bytes->size(); ++i) {
      std::uint32_t& before = owner[slot_of(page, at).offset + i];
      if (before != UINT32_MAX) {
        return Problem{"no byte belongs to two records",
                       fmt::format("byte {} belongs to those of slots {} and {}",
                                   slot_of(page, at).offset + i, before, at)};
      }
      before = at;
    }
  }
  return {};
}

std::optional<Problem> wrong_page(std::span<const std::byte> page, const Entries& entries) {
  const Numbers numbers = numbers_of(page);
  const std::uint64_t slots_end = slots_begin + std::uint64_t{numbers.slots} * slot_bytes;
  if (slots_end + numbers.heap_bytes > page.size()) {
    return Problem{fmt::format("slots and heap fit into {} bytes", page.size()),
                   fmt::format("the slots end at {}, the heap begins at {}", slots_end,
                               static_cast<std::int64_t>(page.size()) - numbers.heap_bytes)};
  }
  if (numbers.slots != entries.size()) {
    return Problem{fmt::format("{} slots", entries.size()), fmt::format("{} slots", numbers.slots)};
  }
  std::uint32_t used_bytes = 0;
  std::uint32_t records = 0;
  for (std::uint32_t at = 0; at < entries.size(); ++at) {
    if (auto wrong = wrong_slot(page, at, entries[at])) return wrong;
    if (!entries[at].bytes) continue;
    used_bytes += static_cast<std::uint32_t>(entries[at].bytes->size());
    ++records;
  }
  if (auto wrong = overlap(page, entries)) return wrong;
  if (numbers.records != records) {
    return Problem{fmt::format("the page counts {} record{}", records, records == 1 ? "" : "s"),
                   fmt::format("it counts {}", numbers.records)};
  }
  if (used_bytes + numbers.fragment_bytes == numbers.heap_bytes) return {};
  return Problem{
      fmt::format("the heap is records and fragments: with records of {} bytes and a heap of {}, "
                  "{} fragment bytes",
                  used_bytes, numbers.heap_bytes,
                  static_cast<std::int64_t>(numbers.heap_bytes) - used_bytes),
      fmt::format("{} fragment bytes", numbers.fragment_bytes)};
}

}  // namespace

// --- Memory -------------------------------------------------------------------------------------

Guarded::Guarded(std::size_t bytes) : count_(bytes) {
  const std::size_t whole =
      (bytes + hardware_page_bytes - 1) / hardware_page_bytes * hardware_page_bytes;
  map_bytes_ = whole + hardware_page_bytes;
  void* const map =
      mmap(nullptr, map_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) throw std::runtime_error("no memory for a page");
  map_ = static_cast<std::byte*>(map);
  std::fill_n(map_, whole, filler);
  begin_ = map_ + whole - bytes;
  std::fill_n(begin_, bytes, std::byte{0});
  if (mprotect(map_ + whole, hardware_page_bytes, PROT_NONE) != 0) {
    throw std::runtime_error("memory cannot be protected");
  }
}

Guarded::Guarded(std::span<const std::byte> content) : Guarded(content.size()) {
  std::ranges::copy(content, begin_);
}

Guarded::~Guarded() { munmap(map_, map_bytes_); }

bool Guarded::untouched() const {
  return std::all_of(map_, begin_, [](std::byte byte) { return byte == filler; });
}

// --- Entries ------------------------------------------------------------------------------------

Record record_of(const Entry& entry) {
  return {std::as_bytes(std::span(*entry.bytes)), entry.is_reference};
}

Entry entry_of(const std::optional<Record>& record) {
  if (!record) return {};
  return {std::string(reinterpret_cast<const char*>(record->bytes.data()), record->bytes.size()),
          record->is_reference};
}

std::string bytes_text(std::uint64_t count) {
  return fmt::format("{} byte{}", count, count == 1 ? "" : "s");
}

std::string text_of(const Entry& entry) {
  if (!entry.bytes) return "erased";
  constexpr std::size_t shown = 12;
  std::string text;
  for (const char c : entry.bytes->substr(0, shown)) text += c >= ' ' && c <= '~' ? c : '.';
  const char* const more = entry.bytes->size() > shown ? "..." : "";
  return fmt::format("{}'{}{}', {}", entry.is_reference ? "the reference " : "", text, more,
                     bytes_text(entry.bytes->size()));
}

std::string record_text(Test& t, std::size_t bytes) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::string text(bytes, ' ');
  for (char& c : text) c = letters[t.random().below(letters.size())];
  return text;
}

// --- Pages --------------------------------------------------------------------------------------

void build(std::span<std::byte> page, const Entries& entries, const Layout& layout) {
  std::ranges::fill(page, std::byte{0});
  auto at = static_cast<std::uint32_t>(page.size());
  std::uint32_t records = 0;
  std::uint32_t fragment_bytes = 0;
  const auto count = static_cast<std::uint32_t>(entries.size());
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t slot = layout.first_is_highest ? i : count - 1 - i;
    const Entry& entry = entries[slot];
    if (!entry.bytes) continue;
    ++records;
    const auto bytes = static_cast<std::uint32_t>(entry.bytes->size());
    if (bytes > 0) {
      at -= bytes + layout.fragment_bytes;
      fragment_bytes += layout.fragment_bytes;
      std::memcpy(page.data() + at, entry.bytes->data(), bytes);
      std::fill_n(page.data() + at + bytes, layout.fragment_bytes, std::byte{'-'});
    }
    put(page, slots_begin + slot * slot_bytes, bytes > 0 ? at : slots_begin);
    put(page, slots_begin + slot * slot_bytes + 2, entry.is_reference ? reference_length : bytes);
  }
  const std::uint32_t slots_end = slots_begin + count * slot_bytes;
  std::ranges::fill(page.subspan(slots_end, at - slots_end), std::byte{'~'});  // left of before
  put(page, numbers_begin, count);
  put(page, numbers_begin + 2, static_cast<std::uint32_t>(page.size()) - at);
  put(page, numbers_begin + 4, fragment_bytes);
  put(page, numbers_begin + 6, records);
}

Numbers numbers_of(std::span<const std::byte> page) {
  return {number(page, numbers_begin), number(page, numbers_begin + 2),
          number(page, numbers_begin + 4), number(page, numbers_begin + 6)};
}

Slot slot_of(std::span<const std::byte> page, std::uint32_t slot) {
  const std::size_t at = slots_begin + std::size_t{slot} * slot_bytes;
  return {number(page, at), number(page, at + 2)};
}

std::uint32_t gap_bytes(std::span<const std::byte> page) {
  const Numbers numbers = numbers_of(page);
  return static_cast<std::uint32_t>(page.size()) - slots_begin - numbers.slots * slot_bytes -
         numbers.heap_bytes;
}

std::uint32_t free_bytes(std::span<const std::byte> page) {
  return gap_bytes(page) + numbers_of(page).fragment_bytes;
}

std::string drawn(const Entries& expected, std::span<const std::byte> found) {
  std::vector<std::byte> page(found.size());
  build(page, expected);
  std::vector<std::byte> other = copy_of(found);
  // The drawing goes by the header, which these pages have none of.
  constexpr std::size_t at_type = 4;
  page[at_type] = other[at_type] = static_cast<std::byte>(page::Type::slotted);
  return slotted::side_by_side(page, other, 0);
}

void expect_page(Test& t, std::span<const std::byte> page, const Entries& entries,
                 const Blame& blame) {
  const auto wrong = wrong_page(page, entries);
  if (t.holds(!wrong)) return;
  t.fail({.expected = wrong->expected,
          .found = wrong->found,
          .cause = blame.cause,
          .function = blame.function,
          .evidence = drawn(entries, page)});
}

void expect_unchanged(Test& t, std::span<const std::byte> page,
                      const std::vector<std::byte>& before, const Blame& blame) {
  const auto [was, is] = std::ranges::mismatch(before, page);
  if (t.holds(was == before.end())) return;
  const auto at = was - before.begin();
  t.fail({.expected = "the page as it was, byte by byte",
          .found = fmt::format("byte {} was {:02x} and is {:02x}", at,
                               std::to_integer<unsigned>(*was), std::to_integer<unsigned>(*is)),
          .cause = blame.cause,
          .function = blame.function});
}

std::vector<std::byte> copy_of(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

slotted::Page trusted(std::span<std::byte> page) {
  const std::vector<std::byte> bytes = copy_of(page);
  slotted::Page made = slotted::Page::make(page);
  std::ranges::copy(bytes, page.data());
  return made;
}

}  // namespace pagealloc::labs
