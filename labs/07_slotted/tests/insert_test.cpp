// Task 3: records come, and are found.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "labs/07_slotted/tests/common.h"
#include "labs/07_slotted/tests/tests.h"
#include "pagealloc/page/field.h"

namespace pagealloc::labs {

namespace {

constexpr const char* insert_function = "Page::insert";

/// Inserts, and expects this slot. One check.
void insert_into(Test& t, slotted::Page& page, Entries& entries, const Entry& entry,
                 std::uint32_t slot, const std::string& cause) {
  const auto found = page.insert(record_of(entry));
  if (!t.holds(found == slot)) {
    t.fail({.expected = fmt::format("insert({}) returns slot {}", text_of(entry), slot),
            .found = found ? fmt::format("slot {}", *found) : "that it does not fit",
            .cause = cause,
            .function = insert_function,
            .evidence = drawn(entries, page.directory().bytes())});
  }
  if (slot == entries.size()) entries.emplace_back();
  entries[slot] = entry;
}

/// get() of every slot, and of one behind the last. One check.
void expect_found(Test& t, const slotted::PageView& page, const Entries& entries,
                  const std::string& cause) {
  for (std::uint32_t slot = 0; slot <= entries.size(); ++slot) {
    const Entry expected = slot < entries.size() ? entries[slot] : Entry{};
    const Entry found = entry_of(page.get(static_cast<SlotId>(slot)));
    if (found == expected) continue;
    (void)t.holds(false);
    t.fail({.expected = fmt::format("get({}): {}", slot, text_of(expected)),
            .found = text_of(found),
            .cause = cause,
            .function = "PageView::get",
            .evidence = drawn(entries, page.directory().bytes())});
  }
  (void)t.holds(true);
}

/// What is too long by a byte is refused, also where there are fragments; what fills the gap goes
/// in.
void fill_to_the_byte(Test& t, std::uint32_t page_bytes, const Layout& layout) {
  Guarded memory(page_bytes);
  Entries entries;
  for (int i = 0; i < 5; ++i) {
    entries.push_back({record_text(t, 1 + t.random().below(page_bytes / 16))});
  }
  build(memory.bytes(), entries, layout);
  slotted::Page page = trusted(memory.bytes());
  const std::uint32_t free = free_bytes(memory.bytes());
  const std::uint32_t most = gap_bytes(memory.bytes()) - slotted::PageView::slot_bytes;
  const Entry larger{record_text(t, free - slotted::PageView::slot_bytes + 1)};
  const auto before = copy_of(memory.bytes());
  const auto refused = page.insert(record_of(larger));
  if (!t.holds(!refused)) {
    t.fail({.expected = fmt::format("a record of {} does not fit: {} are free, and its slot "
                                    "takes 4 of them",
                                    bytes_text(larger.bytes->size()), free),
            .found = fmt::format("slot {}", *refused),
            .cause = "a new slot needs room as well: the record and its slot meet in the gap, and "
                     "one byte too many lies on both",
            .function = insert_function,
            .evidence = drawn(entries, memory.bytes())});
  }
  expect_unchanged(t, memory.bytes(), before,
                   {insert_function,
                    "something was written, or moved, before it was sure that the record fits; who "
                    "is refused goes on with the page as it was"});
  insert_into(t, page, entries, {record_text(t, most)}, 5,
              "the last byte of the gap is free as well: a record fits when it and its slot "
              "leave nothing over");
  expect_page(
      t, memory.bytes(), entries,
      {"Page::place", "a record that fills the gap lies between slots and heap, on neither"});
}

}  // namespace

void first_records(Test& t) {
  for (const std::uint32_t page_bytes : {512U, 4096U}) {
    Guarded memory(page_bytes);
    slotted::Page page = slotted::Page::make(memory.bytes());
    Entries entries;
    for (std::uint32_t slot = 0; slot < 6; ++slot) {
      insert_into(t, page, entries, {record_text(t, 1 + t.random().below(40))}, slot,
                  "without an erased one the record gets a new slot, behind the last");
      expect_page(t, memory.bytes(), entries,
                  {"Page::place",
                   "a record goes to the front of the heap, its slot says where; slots, heap bytes "
                   "and records are counted up"});
    }
    expect_found(t, page, entries, "what a slot says is where its record lies, and how long it is");
    if (!t.holds(memory.untouched())) {
      t.fail({.expected = "nothing outside of the page is touched",
              .found = "bytes before it were written",
              .cause = "an offset counts from the page's first byte",
              .function = "Page::place"});
    }
  }
}

void what_is_not_there(Test& t) {
  Entries entries = {{record_text(t, 9)}, {}, {record_text(t, 7)}, {}, {record_text(t, 5)}};
  Guarded memory(512);
  build(memory.bytes(), entries);
  // As if there were one more slot, with a record.
  std::copy_n(memory.bytes().data() + 40, 4, memory.bytes().data() + 40 + 5 * 4);
  const slotted::Page page = trusted(memory.bytes());
  expect_found(t, page, entries,
               "a slot whose offset is 0 was erased, and has no record; a page with 5 slots has no "
               "slot 5");
  const std::string unasked =
      "the number of the slot is the caller's: it is compared with slots() before anything is read";
  t.expect_trouble(unasked);
  for (const std::uint32_t slot : {5U, 6U, 100U, 118U, 119U, 65535U}) {
    const auto found = page.get(static_cast<SlotId>(slot));
    if (t.holds(!found)) continue;
    t.fail({.expected = fmt::format("get({}) of a page with 5 slots: nothing", slot),
            .found = text_of(entry_of(found)),
            .cause = unasked,
            .function = "PageView::get"});
  }
  const std::string outside =
      "what a slot says is compared with the page before a record of it is handed out: who changes "
      "a page may have made a mistake, and nobody is to read behind it";
  t.expect_trouble(outside);
  for (const auto& [offset, length] :
       {std::pair{510U, 9U}, {512U, 1U}, {600U, 9U}, {500U, 0xffffU}}) {
    page::store(memory.bytes().data() + 40, static_cast<std::uint16_t>(offset));
    page::store(memory.bytes().data() + 42, static_cast<std::uint16_t>(length));
    if (t.holds(!page.get(0))) continue;
    t.fail({.expected = fmt::format("get(0), whose slot says {:#x} bytes at {} of 512: nothing",
                                    length, offset),
            .found = "a record",
            .cause = outside,
            .function = "PageView::get"});
  }
}

void no_bytes_and_references(Test& t) {
  Guarded memory(512);
  slotted::Page page = slotted::Page::make(memory.bytes());
  Entries entries;
  const std::string cause =
      "a record of no bytes is a record: it lies at 40, where it takes nothing, and is not erased";
  const std::string reference =
      "a reference has 16 bytes in the page, and its slot says ffff for their number";
  t.expect_trouble(reference + ": stored_bytes() says how many a length stands for");
  insert_into(t, page, entries, {""}, 0, cause);
  expect_page(t, memory.bytes(), entries, {"Page::place", cause});
  insert_into(t, page, entries, {record_text(t, 16), true}, 1, reference);
  expect_page(t, memory.bytes(), entries, {"Page::place", reference});
  insert_into(t, page, entries, {record_text(t, 16)}, 2, reference);
  insert_into(t, page, entries, {""}, 3, cause);
  expect_page(t, memory.bytes(), entries, {"Page::place", cause});
  expect_found(t, page, entries, reference + "; " + cause);
}

void to_the_last_byte(Test& t) {
  for (const std::uint32_t page_bytes : page_sizes) {
    fill_to_the_byte(t, page_bytes, {});
    fill_to_the_byte(t, page_bytes, {.fragment_bytes = 3, .first_is_highest = false});
  }
  // With an erased slot none is needed, and the record may have its 4 bytes.
  Guarded memory(512);
  Entries entries = {{record_text(t, 50)}, {}, {record_text(t, 60)}};
  build(memory.bytes(), entries);
  slotted::Page page = trusted(memory.bytes());
  insert_into(t, page, entries, {record_text(t, gap_bytes(memory.bytes()))}, 1,
              "the erased slot is there already: this record needs no other, and the gap takes it "
              "to the last byte");
  expect_page(t, memory.bytes(), entries,
              {"Page::place", "the record fills the gap, and its slot is an old one"});
}

void the_largest_pages(Test& t) {
  constexpr std::uint32_t page_bytes = 65536;
  const std::string wraps =
      "65536 is 0 in 16 bits: sums of offsets and lengths have 32, and only what is stored has 16";
  t.expect_trouble(wraps);
  Guarded memory(page_bytes);
  slotted::Page page = slotted::Page::make(memory.bytes());
  Entries entries;
  // Longer than the page, by what 16 bits do not see.
  for (const std::uint32_t bytes : {page_bytes, page_bytes + 10, page_bytes - 43, 2 * page_bytes}) {
    const Entry entry{std::string(bytes, 'x')};
    const auto before = copy_of(memory.bytes());
    const auto slot = page.insert(record_of(entry));
    if (!t.holds(!slot)) {
      t.fail({.expected = fmt::format("a record of {} does not fit into a page of 65536",
                                      bytes_text(bytes)),
              .found = fmt::format("slot {}", *slot),
              .cause = wraps,
              .function = insert_function});
    }
    expect_unchanged(t, memory.bytes(), before, {insert_function, wraps});
  }
  // No memory is behind it, and none is needed to see that it does not fit.
  const Record immense{std::as_bytes(std::span("ten bytes.", (std::size_t{1} << 32) + 10)), false};
  const auto before = copy_of(memory.bytes());
  const auto slot = page.insert(immense);
  if (!t.holds(!slot)) {
    t.fail({.expected = "a record of 4294967306 bytes does not fit into a page of 65536",
            .found = fmt::format("slot {}", *slot),
            .cause = "a span counts in 64 bits: its size is compared before it is put into 32",
            .function = insert_function});
  }
  expect_unchanged(t, memory.bytes(), before, {insert_function, wraps});
  insert_into(t, page, entries, {record_text(t, 3)}, 0, wraps);
  expect_page(t, memory.bytes(), entries, {"Page::place", wraps});
  insert_into(t, page, entries, {record_text(t, 40'000)}, 1, wraps);
  insert_into(t, page, entries, {record_text(t, page_bytes - 40 - 40'003 - 3 * 4)}, 2, wraps);
  expect_page(t, memory.bytes(), entries, {"Page::place", wraps});
  expect_found(t, page, entries, wraps);
}

void erased_slots_are_used_again(Test& t) {
  Guarded memory(1024);
  Entries entries(8);
  for (const std::uint32_t slot : {1U, 3U, 6U, 7U}) entries[slot] = {record_text(t, 10)};
  entries[2] = {""};  // is a record, and its slot is not erased
  build(memory.bytes(), entries);
  slotted::Page page = trusted(memory.bytes());
  const std::string cause =
      "an erased slot is given to the next record, the lowest first: else a page from which "
      "records come and go is full of slots one day";
  for (const std::uint32_t slot : {0U, 4U, 5U, 8U}) {
    insert_into(t, page, entries, {record_text(t, 12)}, slot, cause);
    expect_page(t, memory.bytes(), entries, {"Page::erased_slot", cause});
  }
}

}  // namespace pagealloc::labs
