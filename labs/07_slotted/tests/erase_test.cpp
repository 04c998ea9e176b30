// Task 4: records go.
#include <fmt/format.h>

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
      "the record's bytes stay where they are and are fragments from now on; its slot gets offset "
      "and length 0, and there is one record less. All other slots stay as they are";
  for (const std::uint32_t slot : {3U, 0U, 4U, 2U}) {
    expect_erased(t, page, slot, true, "a slot with a record can be erased, one of no bytes too");
    entries[slot] = {};
    expect_page(t, memory.bytes(), entries, {"Page::erase", bytes});
    const auto before = copy_of(memory.bytes());
    expect_erased(t, page, slot, false, none);
    expect_erased(t, page, 7 + slot, false, none);
    expect_unchanged(t, memory.bytes(), before, {"Page::erase", none});
  }
}

void last_slots_go(Test& t) {
  Guarded memory(512);
  Entries entries(6);
  for (std::uint32_t slot = 0; slot < 6; ++slot) entries[slot] = {record_text(t, 8)};
  build(memory.bytes(), entries);
  slotted::Page page = trusted(memory.bytes());
  const std::string cause =
      "an erased slot at the end is of no use to anybody: it goes, and so do those before it that "
      "were erased earlier. One in the middle stays, because a slot's number is its place";
  for (const std::uint32_t slot : {4U, 3U, 5U, 0U, 1U, 2U}) {
    expect_erased(t, page, slot, true, "this slot has a record");
    entries[slot] = {};
    while (!entries.empty() && !entries.back().bytes) entries.pop_back();
    expect_page(t, memory.bytes(), entries, {"Page::drop_last_slots", cause});
  }
}

}  // namespace pagealloc::labs
