// Task 4: records go.
#include <fmt/format.h>

#include <initializer_list>

#include "labs/07_slotted/tests/common.h"
#include "labs/07_slotted/tests/tests.h"

namespace pagealloc::labs {

namespace {

void expect_erased(Test& t, slotted::Page& page, std::uint32_t slot, bool expected,
                   const std::string& cause) {
  const bool found = page.erase(static_cast<SlotId>(slot));
  if (t.holds(found == expected)) return;
  t.fail({.expected = fmt::format("erase({}): {}", slot, expected),
          .found = found ? "true" : "false",
          .cause = cause,
          .function = "Page::erase"});
}

}  // namespace

void an_erased_record_is_gone(Test& t) {
  Guarded memory(1024);
  Entries entries;
  for (int i = 0; i < 7; ++i) entries.push_back({record_text(t, 5 + t.random().below(30))});
  entries[2] = {""};
  entries[4] = {record_text(t, 16), true};
  build(memory.bytes(), entries, {.fragment_bytes = 3});
  slotted::Page page = trusted(memory.bytes());
  const std::string none = "there is nothing to erase: a slot that was erased, or that never was";
  const std::string bytes =
      "the record's bytes are fragments from now on, or gap if it was the lowest; its slot gets "
      "offset and length 0, and there is one record less. All other slots stay as they are";
  const std::string others =
      "erase() moves nothing: a compaction copies the whole heap, and is for when room is needed";
  t.expect_trouble("a reference has 16 bytes, whatever its slot says: stored_bytes() knows");
  const Slot last = slot_of(memory.bytes(), 6);
  for (const std::uint32_t slot : {3U, 0U, 4U, 2U}) {
    expect_erased(t, page, slot, true, "a slot with a record can be erased, one of no bytes too");
    entries[slot] = {};
    expect_page(t, memory.bytes(), entries, {"Page::erase", bytes});
    if (!t.holds(slot_of(memory.bytes(), 6) == last)) {
      t.fail({.expected = fmt::format("the record of slot 6 stays at {}", last.offset),
              .found = fmt::format("it lies at {}", slot_of(memory.bytes(), 6).offset),
              .cause = others,
              .function = "Page::erase"});
    }
    const auto before = copy_of(memory.bytes());
    expect_erased(t, page, slot, false, none);
    expect_erased(t, page, 7 + slot, false, none);
    expect_unchanged(t, memory.bytes(), before, {"Page::erase", none});
  }
}

void last_slots_go(Test& t) {
  const std::string cause =
      "an erased slot at the end is of no use to anybody: it goes, and so do those before it that "
      "were erased earlier. One in the middle stays, because a slot's number is its place";
  const auto erase_all = [&](Entries entries, std::initializer_list<std::uint32_t> slots,
                             const std::string& why) {
    Guarded memory(512);
    build(memory.bytes(), entries);
    slotted::Page page = trusted(memory.bytes());
    for (const std::uint32_t slot : slots) {
      expect_erased(t, page, slot, true, "this slot has a record");
      entries[slot] = {};
      while (!entries.empty() && !entries.back().bytes) entries.pop_back();
      expect_page(t, memory.bytes(), entries, {"Page::drop_last_slots", why});
    }
  };
  Entries records(6);
  for (Entry& entry : records) entry = {record_text(t, 8)};
  erase_all(records, {4, 3, 5, 0, 1, 2}, cause);
  erase_all({{record_text(t, 8)}, {""}, {record_text(t, 8)}}, {2, 0, 1},
            cause + ". Erased is a slot whose offset is 0: a record of no bytes is one");
  // No heap and no fragments: zeros stand where slot -1 would be.
  erase_all({{""}, {""}}, {0, 1},
            "the last slot that can go is slot 0; before it stand the page's numbers, which are 0 "
            "here and no slots");
}

}  // namespace pagealloc::labs
