// Task 6: records change.
#include <fmt/format.h>

#include "labs/07_slotted/tests/common.h"
#include "labs/07_slotted/tests/tests.h"

namespace pagealloc::labs {

namespace {

constexpr const char* update_function = "Page::update";

/// Updates, and looks at the page; a refusal changes no byte of it. Two checks.
void update(Test& t, slotted::Page& page, Entries& entries, std::uint32_t slot, const Entry& entry,
            bool fits, const std::string& cause) {
  const auto before = copy_of(page.directory().bytes());
  const bool found = page.update(static_cast<SlotId>(slot), record_of(entry));
  if (!t.holds(found == fits)) {
    t.fail(
        {.expected = fmt::format("update({}, {}) of {}: {}", slot, text_of(entry),
                                 slot < entries.size() ? text_of(entries[slot]) : "no slot", fits),
         .found = found ? "true" : "false",
         .cause = cause,
         .function = update_function,
         .evidence = drawn(entries, page.directory().bytes())});
  }
  if (!fits) {
    return expect_unchanged(t, page.directory().bytes(), before,
                            {update_function, cause + ". Refused means unchanged"});
  }
  entries[slot] = entry;
  expect_page(t, page.directory().bytes(), entries, {update_function, cause});
}

/// A page of five records of `bytes` and fragments.
Entries five(Test& t, std::size_t bytes) {
  Entries entries;
  for (int i = 0; i < 5; ++i) entries.push_back({record_text(t, bytes)});
  return entries;
}

}  // namespace

void updates_in_place(Test& t) {
  Guarded memory(1024);
  Entries entries = five(t, 30);
  entries.insert(entries.begin() + 2, Entry{});
  build(memory.bytes(), entries, {.fragment_bytes = 2});
  slotted::Page page = trusted(memory.bytes());
  const std::string cause =
      "what is not longer takes the old one's place: same offset, its own length, and what is left "
      "over are fragments";
  const std::string empty =
      "a record of no bytes lies at 40, all of the old one is fragments, and it keeps its slot";
  const Slot before = slot_of(memory.bytes(), 3);
  for (const std::size_t bytes : {30U, 29U, 11U, 1U}) {
    update(t, page, entries, 3, {record_text(t, bytes)}, true, cause);
    if (t.holds(slot_of(memory.bytes(), 3).offset == before.offset)) continue;
    t.fail({.expected = fmt::format("the shorter record begins where the old one did, at {}",
                                    before.offset),
            .found = fmt::format("at {}", slot_of(memory.bytes(), 3).offset),
            .cause = cause,
            .function = update_function});
  }
  update(t, page, entries, 3, {""}, true, empty);
  update(t, page, entries, 3, {""}, true, empty);
  for (const std::uint32_t slot : {2U, 6U, 65535U}) {
    update(
        t, page, entries, slot, {"x"}, false,
        "an erased slot has no record that could be updated, and neither has one that never was");
  }
}

void updates_that_grow(Test& t) {
  for (const std::uint32_t page_bytes : {512U, 4096U, 65536U}) {
    Guarded memory(page_bytes);
    Entries entries = five(t, page_bytes / 16);
    build(memory.bytes(), entries, {.fragment_bytes = page_bytes / 64});
    slotted::Page page = trusted(memory.bytes());
    const Slot first = slot_of(memory.bytes(), 0);
    update(t, page, entries, 1, {record_text(t, page_bytes / 16 + 1)}, true,
           "the longer record goes to the front of the heap; where the old one was are fragments");
    if (!t.holds(slot_of(memory.bytes(), 0) == first)) {
      t.fail({.expected = "a record that fits into the gap moves no other",
              .found = "the page was compacted",
              .cause = "a compaction copies the whole heap: it is for when the gap is too small",
              .function = update_function});
    }
    // Neither gap nor fragments alone are enough; the old record's own bytes count as well.
    const std::size_t gap = gap_bytes(memory.bytes());
    update(t, page, entries, 0, {record_text(t, gap + 1)}, true,
           "the gap is too small, with the fragments it is not: update() compacts. Meanwhile the "
           "old record is not moved with the others: its bytes are what the new one needs");
    update(t, page, entries, 4, {""}, true, "a record of no bytes takes nothing");
    update(t, page, entries, 4, {record_text(t, gap_bytes(memory.bytes()))}, true,
           "a record of no bytes may grow like any other");
  }
}

void old_record_stays_when_it_is_full(Test& t) {
  const std::string wraps =
      "longer than the page, by what 16 bits do not see: what is computed with "
      "has 32, and only what is stored has 16";
  t.expect_trouble(wraps);
  for (const std::uint32_t page_bytes : page_sizes) {
    Guarded memory(page_bytes);
    Entries entries = five(t, page_bytes / 16);
    build(memory.bytes(), entries, {.fragment_bytes = 3});
    slotted::Page page = trusted(memory.bytes());
    const std::size_t most = free_bytes(memory.bytes()) + page_bytes / 16;
    update(t, page, entries, 2, {record_text(t, most + 1)}, false,
           "the new record is a byte too long, and the old one is gone, or changed: whether it "
           "fits is known before anything is given up");
    for (const std::size_t bytes : {std::size_t{page_bytes} + 10, std::size_t{65536 + 10}}) {
      update(t, page, entries, 2, {record_text(t, bytes)}, false, wraps);
    }
    const Record immense{std::as_bytes(std::span("ten bytes.", (std::size_t{1} << 32) + 10)),
                         false};
    if (!t.holds(!page.update(2, immense))) {
      t.fail({.expected = "update(2, a record of 4294967306 bytes): false",
              .found = "true",
              .cause = "a span counts in 64 bits: its size is compared before it is put into 32",
              .function = update_function});
    }
    update(t, page, entries, 2, {record_text(t, most)}, true,
           "what is free, and the bytes of the old record: to the last one of them the new record "
           "fits");
    if (t.holds(free_bytes(memory.bytes()) == 0 && memory.untouched())) continue;
    t.fail({.expected = "the page is full to the last byte",
            .found = fmt::format("{} are free", bytes_text(free_bytes(memory.bytes()))),
            .cause = "bytes of the old record, or of fragments, were counted twice or not at all",
            .function = update_function});
  }
}

void updates_to_references(Test& t) {
  Guarded memory(512);
  Entries entries = five(t, 20);
  build(memory.bytes(), entries);
  slotted::Page page = trusted(memory.bytes());
  const std::string cause =
      "a reference has 16 bytes, and its slot says ffff: both are asked for, wherever a length is "
      "read or written";
  update(t, page, entries, 1, {record_text(t, 16), true}, true, cause);
  update(t, page, entries, 1, {record_text(t, 16)}, true, cause);
  update(t, page, entries, 3, {record_text(t, 10)}, true, cause);
  update(t, page, entries, 3, {record_text(t, 16), true}, true, cause);
  update(t, page, entries, 3, {record_text(t, 17)}, true, cause);
}

}  // namespace pagealloc::labs
