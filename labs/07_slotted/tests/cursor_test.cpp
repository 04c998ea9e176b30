// Task 7: how much fits, and going through a page that changes.
#include <fmt/format.h>

#include "labs/07_slotted/tests/common.h"
#include "labs/07_slotted/tests/tests.h"

namespace pagealloc::labs {

namespace {

std::string room_text(const std::optional<std::uint32_t>& room) {
  return room ? bytes_text(*room) : "that not even a record of no bytes fits";
}

void expect_room(Test& t, const Entries& entries, std::uint32_t page_bytes,
                 std::optional<std::uint32_t> expected, const std::string& cause) {
  Guarded memory(page_bytes);
  build(memory.bytes(), entries, {.fragment_bytes = 1});
  const slotted::Page page = trusted(memory.bytes());
  const auto found = page.room();
  if (t.holds(found == expected)) return;
  t.fail({.expected = fmt::format("room(): {}", room_text(expected)),
          .found = room_text(found),
          .cause = cause,
          .function = "Page::room",
          .evidence = drawn(entries, memory.bytes())});
}

std::string met_text(const std::optional<std::pair<SlotId, Record>>& met) {
  if (!met) return "the end";
  return fmt::format("slot {}, {}", met->first, text_of(entry_of(met->second)));
}

/// The cursor's next record. One check.
void expect_next(Test& t, slotted::Page::Cursor& cursor, const Entries& entries,
                 std::optional<std::uint32_t> slot, const std::string& cause) {
  const auto found = cursor.next();
  const bool good = found.has_value() == slot.has_value() &&
                    (!slot || (found->first == *slot && entry_of(found->second) == entries[*slot]));
  if (t.holds(good)) return;
  t.fail({.expected = slot ? fmt::format("next(): slot {}, {}", *slot, text_of(entries[*slot]))
                           : "next(): the end",
          .found = met_text(found),
          .cause = cause,
          .function = "Page::Cursor::next"});
}

/// Two of them, of which one goes, in a page where every byte counts.
void a_full_page_under_cursors(Test& t) {
  Guarded memory(512);
  Entries entries = {{record_text(t, 100)}, {""}, {record_text(t, 30)}, {""}};
  build(memory.bytes(), entries);
  slotted::Page page = trusted(memory.bytes());
  const std::string slot =
      "as long as somebody iterates no erased slot can be used: a record needs room for a new one";
  slotted::Page::Cursor stays(page);
  const std::string two = "however many iterate, no slot goes, not even at the end";
  const auto erase = [&](SlotId erased) {
    (void)page.erase(erased);
    entries[erased] = {};
    expect_page(t, memory.bytes(), entries, {"Page::drop_last_slots", two});
  };
  {
    const slotted::Page::Cursor goes(page);
    erase(3);
  }
  erase(2);
  erase(1);
  page.compact();
  expect_page(t, memory.bytes(), entries,
              {"Page::compact", two + ", and not by a compaction either"});
  const std::uint32_t free = free_bytes(memory.bytes());
  for (const std::uint32_t bytes : {free, free - 3}) {
    const auto before = copy_of(memory.bytes());
    const auto found = page.insert(record_of({record_text(t, bytes)}));
    if (!t.holds(!found)) {
      t.fail(
          {.expected = fmt::format("a record of {} does not fit: {} are free, and its slot takes "
                                   "4 of them",
                                   bytes_text(bytes), free),
           .found = fmt::format("slot {}", *found),
           .cause = slot,
           .function = "Page::insert"});
    }
    expect_unchanged(t, memory.bytes(), before, {"Page::insert", slot});
  }
  entries.push_back({record_text(t, free - 4)});
  (void)page.insert(record_of(entries.back()));
  expect_page(t, memory.bytes(), entries, {"Page::insert", slot});
  const auto room = page.room();
  if (t.holds(!room)) return;
  t.fail({.expected = "room(): " + room_text({}),
          .found = room_text(room),
          .cause = slot,
          .function = "Page::room"});
}

}  // namespace

void room_to_the_byte(Test& t) {
  const std::string slot = "a new record needs a new slot, of 4 bytes, as long as none is erased";
  const std::string erased = "an erased slot is there: the record needs no new one";
  const std::string none =
      "fewer than 4 bytes are free, and a slot needs 4: nothing fits. Without asking, the "
      "subtraction becomes a number of four thousand millions";
  for (const std::uint32_t page_bytes : page_sizes) {
    const std::uint32_t bytes = page_bytes / 8;
    Entries entries = {{record_text(t, bytes)}, {record_text(t, bytes)}};
    // Fragments are a byte behind each record, and count as room.
    expect_room(t, entries, page_bytes, page_bytes - 40 - 2 * (4 + bytes) - 4, slot);
    entries.insert(entries.begin() + 1, Entry{});
    expect_room(t, entries, page_bytes, page_bytes - 40 - 3 * 4 - 2 * bytes, erased);
    const std::uint32_t most = page_bytes - 40 - 3 * 4 - 2;  // with 3 slots
    entries = {{record_text(t, bytes)}, {""}, {record_text(t, most - bytes)}};
    expect_room(t, entries, page_bytes, {}, none);
    entries[1] = {};
    expect_room(t, entries, page_bytes, 2, erased);
    entries[1] = {""};
    entries[2] = {record_text(t, most - bytes - 2)};
    expect_room(t, entries, page_bytes, 0, "exactly a slot fits, and in it a record of no bytes");
  }
}

void cursor_meets_all(Test& t) {
  Guarded memory(1024);
  Entries entries = {{record_text(t, 9)}, {}, {""}, {}, {}, {record_text(t, 16), true},
                     {record_text(t, 3)}};
  build(memory.bytes(), entries, {.first_is_highest = false});
  slotted::Page page = trusted(memory.bytes());
  const std::string cause =
      "the records in the order of their slots; erased slots are gone over, one of no bytes is a "
      "record, and behind the last one there is the end, however often it is asked for";
  {
    slotted::Page::Cursor cursor(page);
    for (const std::uint32_t slot : {0U, 2U, 5U, 6U}) expect_next(t, cursor, entries, slot, cause);
    expect_next(t, cursor, entries, {}, cause);
    expect_next(t, cursor, entries, {}, cause);
  }
  entries[0] = {};
  build(memory.bytes(), entries);
  {
    slotted::Page::Cursor cursor(page);
    expect_next(t, cursor, entries, 2, cause);
  }
  Guarded none(512);
  slotted::Page empty = slotted::Page::make(none.bytes());
  slotted::Page::Cursor cursor(empty);
  expect_next(t, cursor, {}, {}, "an empty page has no first record");
}

void nothing_moves_under_a_cursor(Test& t) {
  Guarded memory(1024);
  Entries entries;
  for (int i = 0; i < 5; ++i) entries.push_back({record_text(t, 10)});
  build(memory.bytes(), entries);
  slotted::Page page = trusted(memory.bytes());
  const Blame reused{"Page::erased_slot",
                     "somebody iterates: the slot that was erased meanwhile may not be given to "
                     "another record, which he would take for the one that was there"};
  const Blame dropped{"Page::drop_last_slots",
                      "somebody iterates: slots stay as long as he does, also at the end, because "
                      "the next record would get the number of one that is gone"};
  {
    slotted::Page::Cursor cursor(page);
    expect_next(t, cursor, entries, 0, "the first record");
    (void)page.erase(1);
    entries[1] = {};
    entries.push_back({record_text(t, 6)});
    (void)page.insert(record_of(entries.back()));
    expect_page(t, memory.bytes(), entries, reused);
    (void)page.erase(5);
    entries[5] = {};
    expect_page(t, memory.bytes(), entries, dropped);
    const auto room = page.room();
    const std::uint32_t expected = free_bytes(memory.bytes()) - slotted::PageView::slot_bytes;
    if (!t.holds(room == expected)) {
      t.fail({.expected = fmt::format("room(): {}", bytes_text(expected)),
              .found = room_text(room),
              .cause = "as long as somebody iterates no erased slot can be used, so a new record "
                       "needs a new slot",
              .function = "Page::room"});
    }
    entries.push_back({record_text(t, 5)});
    (void)page.insert(record_of(entries.back()));
    expect_page(t, memory.bytes(), entries, reused);
    for (const std::uint32_t slot : {2U, 3U, 4U, 6U}) {
      expect_next(t, cursor, entries, slot,
                  "what was there all the time is met, once, and so is what came meanwhile");
    }
    expect_next(t, cursor, entries, {}, "what was erased is not met any more");
    (void)page.erase(6);
    entries[6] = {};
    expect_page(t, memory.bytes(), entries, dropped);
  }
  // He is gone, and all is as usual.
  entries[1] = {record_text(t, 4)};
  (void)page.insert(record_of(entries[1]));
  expect_page(t, memory.bytes(), entries,
              {"Page::erased_slot", "nobody iterates any more: the lowest erased slot is used"});
  (void)page.erase(4);
  entries.resize(4);
  expect_page(t, memory.bytes(), entries,
              {"Page::drop_last_slots",
               "nobody iterates any more: erased slots at the end go, also those that stayed "
               "because of him"});
  a_full_page_under_cursors(t);
}

}  // namespace pagealloc::labs
