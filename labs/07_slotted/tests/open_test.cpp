// Task 8: bytes that anybody may have written.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "labs/07_slotted/tests/common.h"
#include "labs/07_slotted/tests/tests.h"
#include "pagealloc/page/field.h"

namespace pagealloc::labs {

namespace {

constexpr const char* open_function = "PageView::open";
constexpr const char* heap_beside_slots = "slots and heap lie side by side, and both in the page";

Entries some_entries(Test& t, std::uint32_t page_bytes) {
  Entries entries(3 + t.random().below(8));
  for (Entry& entry : entries) {
    const auto kind = t.random().below(8);
    if (kind == 0) continue;
    if (kind == 1)
      entry = {record_text(t, 16), true};
    else
      entry = {record_text(t, kind == 2 ? 0 : 1 + t.random().below(page_bytes / 20))};
  }
  entries[1] = {record_text(t, 12)};
  return entries;
}

void expect_taken(Test& t, std::span<const std::byte> bytes, const Entries& entries,
                  const std::string& what) {
  const auto page = slotted::PageView::open(bytes);
  if (t.holds(page.has_value())) return;
  t.fail(
      {.expected = fmt::format("{} is whole", what),
       .found = fmt::format("damage at byte {}: {}", page.error().offset_bytes, page.error().cause),
       .cause = page.error().offset_bytes < page::header_bytes
                    ? "the header is check()'s affair: open() looks at what is behind it"
                    : "records may lie in any order, with fragments between them, before them or "
                      "without, and erased slots may be anywhere, also at the end: what adds up is "
                      "whole",
       .function = open_function,
       .evidence = drawn(entries, bytes)});
}

/// A number of the page that is changed, and what is wrong then.
struct Lie {
  std::size_t at;
  std::uint32_t value;
  std::string what;
  std::string cause;
};

void expect_told(Test& t, std::span<std::byte> bytes, const Entries& entries, const Lie& lie) {
  const auto was = page::load<std::uint16_t>(bytes.data() + lie.at);
  page::store(bytes.data() + lie.at, static_cast<std::uint16_t>(lie.value));
  t.expect_trouble("a number of the page was believed before it was compared: " + lie.cause);
  const auto page = slotted::PageView::open(bytes);
  if (!t.holds(!page)) {
    t.fail({.expected = fmt::format("{}: damage", lie.what),
            .found = "the page was taken for whole",
            .cause = lie.cause,
            .function = open_function,
            .evidence = drawn(entries, bytes)});
  }
  const std::uint64_t told_at = page.error().offset_bytes;
  if (!t.holds(told_at >= page::header_bytes && told_at < bytes.size())) {
    t.fail({.expected =
                fmt::format("{}: damage at a byte of the page's numbers or of a slot", lie.what),
            .found = fmt::format("damage at byte {}: {}", told_at, page.error().cause),
            .cause = "who reads it looks there: it is the number, or the slot, that does not fit",
            .function = open_function});
  }
  t.expect_trouble("");
  page::store(bytes.data() + lie.at, was);
}

/// What was taken for a page is one, whoever made it. One check.
void expect_sound(Test& t, std::span<const std::byte> bytes, const slotted::PageView& page) {
  const Numbers numbers = numbers_of(bytes);
  std::uint64_t used_bytes = 0;
  std::uint32_t records = 0;
  std::string wrong;
  std::vector<bool> taken(bytes.size());
  for (std::uint32_t slot = 0; slot < numbers.slots && wrong.empty(); ++slot) {
    const auto record = page.get(static_cast<SlotId>(slot));
    if (record.has_value() != (slot_of(bytes, slot).offset != 0)) {
      wrong = fmt::format("slot {} has no record inside of the page", slot);
    }
    if (!record) continue;
    ++records;
    used_bytes += record->bytes.size();
    if (record->bytes.empty()) continue;
    const auto begin = static_cast<std::size_t>(record->bytes.data() - bytes.data());
    if (begin < bytes.size() - numbers.heap_bytes) {
      wrong = fmt::format("the record of slot {} is outside of the heap", slot);
    }
    for (std::size_t i = begin; i < begin + record->bytes.size() && wrong.empty(); ++i) {
      if (taken[i]) wrong = fmt::format("byte {} belongs to two records", i);
      taken[i] = true;
    }
  }
  if (wrong.empty() &&
      (records != numbers.records || used_bytes + numbers.fragment_bytes != numbers.heap_bytes)) {
    wrong = "its numbers do not add up";
  }
  if (t.holds(wrong.empty())) return;
  t.fail({.expected = "damage, or a page that is whole",
          .found = "the page was taken for whole, and " + wrong,
          .cause = "what open() has taken is never looked at again: every number of the page is "
                   "compared with what there is room for, before it is used",
          .function = open_function});
}

/// A page that is full of records is asked for two hundred times, which takes a twentieth of a
/// second, or, if each slot is compared with all before it, more than a test is given.
void many_slots_take_no_longer(Test& t) {
  t.expect_trouble(
      "open() takes time that is linear in the slots: a page of 65536 bytes has thousands, and who "
      "compares each with all before it makes millions of comparisons");
  Guarded memory(65536);
  const Entries entries((65536 - 40) / 5, Entry{"x"});
  build(memory.bytes(), entries);
  bool whole = true;
  for (int i = 0; i < 200; ++i) whole = whole && slotted::PageView::open(memory.bytes());
  t.expect_trouble("");
  if (!t.holds(whole)) expect_taken(t, memory.bytes(), entries, "a page of 13,099 records");
}

/// Fragments make the sum come out right, so nothing but the heap's place is wrong.
void heap_up_to_the_slots(Test& t, std::span<std::byte> bytes, const Entries& entries) {
  const auto page_bytes = static_cast<std::uint32_t>(bytes.size());
  const Numbers numbers = numbers_of(bytes);
  const std::uint32_t used_bytes = numbers.heap_bytes - numbers.fragment_bytes;
  page::store(bytes.data() + 36, static_cast<std::uint16_t>(page_bytes - 40 - used_bytes));
  expect_told(t, bytes, entries,
              {34, page_bytes - 40, "a heap that begins with the first slot", heap_beside_slots});
  page::store(bytes.data() + 36, static_cast<std::uint16_t>(numbers.fragment_bytes));
}

/// Where there are only 65536 possibilities, all of them.
void try_all_offsets(Test& t, std::span<std::byte> bytes) {
  t.expect_trouble("an offset was used before it was compared with the page");
  const auto was = page::load<std::uint16_t>(bytes.data() + 40);
  for (std::uint32_t offset = 0; offset < 65536; ++offset) {
    page::store(bytes.data() + 40, static_cast<std::uint16_t>(offset));
    if (const auto page = slotted::PageView::open(bytes)) expect_sound(t, bytes, *page);
  }
  page::store(bytes.data() + 40, was);
  t.expect_trouble("");
}

}  // namespace

void right_pages_are_taken(Test& t) {
  for (const std::uint32_t page_bytes : page_sizes) {
    for (const std::uint32_t fragment_bytes : {0U, 1U, 9U}) {
      for (const bool first_is_highest : {true, false}) {
        Guarded memory(page_bytes);
        const Entries entries = some_entries(t, page_bytes);
        build(memory.bytes(), entries,
              {.fragment_bytes = fragment_bytes, .first_is_highest = first_is_highest});
        expect_taken(t, memory.bytes(), entries, "a page that was made by hand");
      }
    }
    Guarded memory(page_bytes);
    build(memory.bytes(), {});
    expect_taken(t, memory.bytes(), {}, "a page without records");
    // As a page is left while somebody iterates, and when the lowest record was erased.
    const Entries gone = {{record_text(t, 12)}, {}, {record_text(t, 7)}, {}};
    build(memory.bytes(), gone);
    expect_taken(t, memory.bytes(), gone, "a page whose last slot was erased");
    for (const auto& [at, value] : {std::pair{36U, 7U}, {38U, 1U}, {48U, 0U}, {50U, 0U}}) {
      page::store(memory.bytes().data() + at, static_cast<std::uint16_t>(value));
    }
    expect_taken(t, memory.bytes(), gone, "a page whose heap begins with a fragment");
    const Entries one = {{record_text(t, page_bytes - 44)}};
    build(memory.bytes(), one);
    expect_taken(t, memory.bytes(), one, "a page that one record fills to the last byte");
  }
  many_slots_take_no_longer(t);
}

void every_lie_is_told(Test& t) {
  for (const std::uint32_t page_bytes : {512U, 4096U, 65536U}) {
    Guarded memory(page_bytes);
    const auto bytes = memory.bytes();
    const Entries entries = {
        {record_text(t, 20)}, {}, {record_text(t, 30)}, {""}, {record_text(t, 16), true}};
    build(bytes, entries, {.fragment_bytes = 2});
    const std::uint32_t end = page_bytes - 1;
    const std::uint32_t heap_begin = page_bytes - numbers_of(bytes).heap_bytes;
    const std::string many = "how many slots there are is compared with what there is room for";
    const std::string heap = heap_beside_slots;
    const std::string sum = "heap bytes are the bytes of all records and the fragment bytes";
    const std::string inside =
        "a record lies in the heap: it begins there, and ends at the end of the page at most";
    const std::string behind =
        inside + ". `page - offset` is no small number when the offset is behind the page";
    const std::string none = "an erased slot has neither offset nor length";
    const std::string empty = "a record of no bytes lies at 40, and nowhere else";
    const std::string twice =
        "no byte belongs to two records: else one is updated, and the other "
        "one changes";
    const Lie lies[] = {
        {32, (page_bytes - 40) / 4 + 1, "more slots than the page has room for", many},
        {32, 65535, "65535 slots", many},
        {32, 4, "one slot less than there are", sum},
        {34, 0, "a heap of no bytes", inside},
        {34, page_bytes - 40, "a heap on which the slots lie", heap},
        {34, std::min(page_bytes, 65535U), "a heap as long as the page", heap},
        {34, numbers_of(bytes).heap_bytes + 1, "a heap of one byte more", sum},
        {36, 0, "no fragments", sum},
        {36, numbers_of(bytes).fragment_bytes + 1, "one fragment byte more", sum},
        {36, 65535, "more fragments than heap", sum},
        {38, 3, "three records", "records are counted, and compared with what the page says"},
        {38, 5, "five records", "records are counted, and compared with what the page says"},
        {40, 0, "an erased slot with a length", none},
        {40, 1, "a record in the header", inside},
        {40, 39, "a record on the page's numbers", inside},
        {40, 41, "a record on the slots", inside},
        {40, heap_begin - 1, "a record that begins a byte before the heap", inside},
        {40, heap_begin - 20, "a record in the gap", inside},
        {40, end, "a record that begins with the last byte", inside},
        {40, page_bytes - 19, "a record that ends a byte behind the page", inside},
        {40, std::min(page_bytes + 9, 65535U), "a record behind the page", behind},
        {40, 65535, "a record at 65535", behind},
        {42, 65534, "a record of 65534 bytes", inside},
        {46, 1, "an erased slot of one byte", none},
        {48, slot_of(bytes, 0).offset - 1, "two records that share bytes", twice},
        {48, slot_of(bytes, 4).offset, "a record in place of a reference", twice},
        {52, 0, "a record of no bytes that was erased", "records are counted"},
        {52, 1, "a record of no bytes at 1", empty},
        {52, 39, "a record of no bytes at 39", empty},
        {52, 41, "a record of no bytes at 41", empty},
        {52, heap_begin, "a record of no bytes in the heap", empty},
        {58, 17, "a reference that became a record of 17 bytes", sum},
    };
    heap_up_to_the_slots(t, bytes, entries);
    for (const Lie& lie : lies) expect_told(t, bytes, entries, lie);
    expect_taken(t, bytes, entries, "the page without any lie");
    try_all_offsets(t, bytes);
    if (!t.holds(memory.untouched())) {
      t.fail({.expected = "a page that is looked at stays as it is",
              .found = "bytes before it were written",
              .cause = "open() writes nothing",
              .function = open_function});
    }
  }
}

void any_bytes_get_an_answer(Test& t) {
  t.expect_trouble(
      "a step outside of the page: an offset or a number of slots was used before it was compared "
      "with the page's own bytes");
  for (int round = 0; round < 4000; ++round) {
    const std::uint32_t page_bytes = page_sizes[t.random().below(round % 8 == 0 ? 8 : 4)];
    Guarded memory(page_bytes);
    const auto bytes = memory.bytes();
    if (t.random().one_in(4)) {
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(t.random().next());
    } else {
      build(bytes, some_entries(t, page_bytes),
            {.fragment_bytes = static_cast<std::uint32_t>(t.random().below(3))});
    }
    for (std::uint64_t i = t.random().below(4); i > 0; --i) {
      const std::size_t at = 32 + 2 * t.random().below(24);
      const std::uint64_t kind = t.random().below(3);
      const std::uint64_t value = kind == 0   ? t.random().next()
                                  : kind == 1 ? page_bytes - t.random().below(40)
                                              : t.random().below(64);
      page::store(bytes.data() + at, static_cast<std::uint16_t>(value));
    }
    const auto page = slotted::PageView::open(bytes);
    if (page) {
      expect_sound(t, bytes, *page);
    } else if (!t.holds(page.error().offset_bytes < page_bytes && !page.error().cause.empty())) {
      t.fail({.expected = "a damage that says what is wrong, and at which byte of the page",
              .found = fmt::format("byte {}: '{}'", page.error().offset_bytes, page.error().cause),
              .cause = "people read it, who have to find out what happened",
              .function = open_function});
    }
    if (page) {
      for (int i = 0; i < 8; ++i) (void)page->get(static_cast<SlotId>(t.random().next()));
    }
  }
}

}  // namespace pagealloc::labs
