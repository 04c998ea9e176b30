// Task 5: the records move, and nobody notices.
#include <fmt/format.h>

#include <utility>

#include "labs/07_slotted/tests/common.h"
#include "labs/07_slotted/tests/tests.h"
#include "pagealloc/page/field.h"

namespace pagealloc::labs {

namespace {

constexpr const char* compact_function = "Page::compact";

/// Records, erased slots, one of no bytes and a reference.
Entries mixed(Test& t, std::uint32_t page_bytes) {
  Entries entries;
  for (std::uint32_t slot = 0; slot < 12; ++slot) {
    entries.push_back({record_text(t, 1 + t.random().below(page_bytes / 24))});
  }
  entries[3] = {};
  entries[5] = {""};
  entries[6] = {};
  entries[8] = {record_text(t, 16), true};
  return entries;
}

/// Has each slot what it had: a record, or none?
bool stays(std::span<const std::byte> page, const Entries& entries) {
  if (numbers_of(page).slots != entries.size()) return false;
  for (std::uint32_t slot = 0; slot < entries.size(); ++slot) {
    if (entries[slot].bytes.has_value() != (slot_of(page, slot).offset != 0)) return false;
  }
  return true;
}

constexpr const char* copied =
    "records are copied from where they were before any of them moved, and before any number is "
    "changed that says where that was. A reference's slot says ffff afterwards, too; no bytes are "
    "fragments";

void fragments_of_no_record_come_back(Test& t) {
  Guarded memory(512);
  build(memory.bytes(), {{record_text(t, 400)}});
  for (const auto& [at, value] : {std::pair{32U, 0U}, {36U, 400U}, {38U, 0U}}) {
    page::store(memory.bytes().data() + at, static_cast<std::uint16_t>(value));
  }
  slotted::Page page = trusted(memory.bytes());
  page.compact();
  const Numbers numbers = numbers_of(memory.bytes());
  if (t.holds(numbers == Numbers{0, 0, 0, 0})) return;
  t.fail({.expected = "a page whose only record was erased has no heap after a compaction",
          .found = fmt::format("a heap of {}, {} of them fragments", bytes_text(numbers.heap_bytes),
                               numbers.fragment_bytes),
          .cause = "fragments of a page without records are fragments as well",
          .function = compact_function});
}

}  // namespace

void slots_keep_their_numbers(Test& t) {
  const std::string number =
      "a slot's number is what everybody else knows a record by. Compaction moves records and "
      "changes what slots say; no slot goes to another place, and none goes away";
  t.expect_trouble(
      "bytes outside of the page were copied: of a reference ffff stands in its slot, and 16 bytes "
      "in "
      "the heap. stored_bytes() says how many a length stands for");
  for (const std::uint32_t page_bytes : page_sizes) {
    const Entries entries = mixed(t, page_bytes);
    Guarded memory(page_bytes);
    build(memory.bytes(), entries, {.fragment_bytes = 5});
    slotted::Page page = trusted(memory.bytes());
    page.compact();
    expect_page(t, memory.bytes(), entries,
                {compact_function, stays(memory.bytes(), entries) ? copied : number});
  }
}

void all_fragments_come_back(Test& t) {
  const std::string cause =
      "afterwards the records lie side by side at the end of the page: heap bytes are the sum of "
      "what they have, fragment bytes are 0. A reference has 16 bytes, whatever its slot says";
  for (const bool first_is_highest : {true, false}) {
    for (const std::uint32_t fragment_bytes : {0U, 1U, 7U, 40U}) {
      const Entries entries = mixed(t, 2048);
      Guarded memory(2048);
      build(memory.bytes(), entries,
            {.fragment_bytes = fragment_bytes, .first_is_highest = first_is_highest});
      const std::uint32_t free = free_bytes(memory.bytes());
      slotted::Page page = trusted(memory.bytes());
      page.compact();
      expect_page(t, memory.bytes(), entries, {compact_function, copied});
      const Numbers numbers = numbers_of(memory.bytes());
      if (t.holds(numbers.fragment_bytes == 0 && gap_bytes(memory.bytes()) == free)) continue;
      t.fail(
          {.expected = fmt::format("no fragments, and a gap of {}", bytes_text(free)),
           .found = fmt::format("fragments of {}, a gap of {}", bytes_text(numbers.fragment_bytes),
                                bytes_text(gap_bytes(memory.bytes()))),
           .cause = cause,
           .function = compact_function,
           .evidence = drawn(entries, memory.bytes())});
    }
  }
  fragments_of_no_record_come_back(t);
}

void insert_compacts_when_it_must(Test& t) {
  t.expect_trouble(
      "the new slot was written before the records had moved: until then a record may "
      "lie where it is to stand");
  const std::uint32_t page_bytes = page_sizes[t.random().below(std::size(page_sizes))];
  Guarded memory(page_bytes);
  const auto eight = [&] {
    Entries all;
    for (int i = 0; i < 8; ++i) all.push_back({record_text(t, page_bytes / 16)});
    return all;
  };
  Entries entries = eight();
  build(memory.bytes(), entries, {.fragment_bytes = page_bytes / 32});
  slotted::Page page = trusted(memory.bytes());
  const auto insert = [&](std::size_t bytes, const char* cause) {
    const Entry entry{record_text(t, bytes)};
    const auto slot = page.insert(record_of(entry));
    if (!t.holds(slot == entries.size())) {
      t.fail({.expected = fmt::format("a record of {} fits: {} in the gap, {} in fragments",
                                      bytes_text(bytes), bytes_text(gap_bytes(memory.bytes())),
                                      bytes_text(numbers_of(memory.bytes()).fragment_bytes)),
              .found = slot ? fmt::format("slot {}", *slot) : "that it does not fit",
              .cause = cause,
              .function = "Page::insert",
              .evidence = drawn(entries, memory.bytes())});
    }
    entries.push_back(entry);
    expect_page(t, memory.bytes(), entries, {"Page::insert", cause});
  };
  const Slot first = slot_of(memory.bytes(), 0);
  insert(4, "this one fits into the gap");
  if (!t.holds(slot_of(memory.bytes(), 0) == first)) {
    t.fail({.expected = "a record that fits into the gap moves no other",
            .found = "the page was compacted",
            .cause = "a compaction copies the whole heap: it is for when the gap is too small",
            .function = "Page::insert"});
  }
  insert(gap_bytes(memory.bytes()) - slotted::PageView::slot_bytes - 2,
         "this one and its slot fit into the gap, and leave 2 bytes of it");
  insert(free_bytes(memory.bytes()) - slotted::PageView::slot_bytes,
         "the gap is too small and the fragments would do: insert() compacts, and then it fits. "
         "Where the new slot goes to may be what a record has until then");
  build(memory.bytes(), entries = eight(), {.fragment_bytes = page_bytes / 32});
  insert(gap_bytes(memory.bytes()),
         "the gap has room for the record and not for its slot as well: insert() compacts");
}

}  // namespace pagealloc::labs
