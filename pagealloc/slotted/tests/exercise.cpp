#include "pagealloc/slotted/tests/exercise.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "pagealloc/slotted/layout.h"
#include "pagealloc/slotted/node.h"
#include "pagealloc/slotted/page.h"

namespace pagealloc::slotted {

namespace {

using Bytes = std::span<const std::byte>;

void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/// Seen as if it had been checked: reads what it can, and nothing outside.
std::size_t look_without_checking(Bytes bytes) {
  const NodeView node = NodeView::trust(bytes);
  std::size_t sum = node.lower_bound(bytes.first(20)) + node.find(bytes.last(3)).value_or(0);
  for (std::uint32_t slot = 0; slot < node.slots(); ++slot) {
    sum += node.key(slot).size() + node.value(slot).bytes.size();
  }
  return sum;
}

/// Is this part of the page, and behind its header and its numbers?
void demand_inside(Bytes page, Bytes part) {
  demand(part.empty() || (part.data() >= page.data() + slots_begin &&
                          part.data() + part.size() <= page.data() + page.size()),
         "a record is inside of the page");
}

/// What was taken for a page is one: each slot that is not erased has its record.
void look(const PageView& page) {
  const Directory& directory = page.directory();
  std::size_t bytes = directory.fragment_bytes();
  std::uint32_t records = 0;
  for (std::uint32_t slot = 0; slot < page.slots(); ++slot) {
    const auto record = page.get(static_cast<SlotId>(slot));
    demand(record.has_value() == (directory.offset_of(slot) != 0), "only erased slots have none");
    if (!record) continue;
    demand_inside(directory.bytes(), record->bytes);
    bytes += record->bytes.size();
    ++records;
  }
  demand(records == page.records() && bytes == directory.heap_bytes(), "the numbers add up");
}

void change(Page& page, Bytes some) {
  const Record small{some.first(1), false};
  const std::uint32_t slots = page.slots();
  for (std::uint32_t slot = 0; slot < slots; slot += 1 + slots / 16) {
    const auto id = static_cast<SlotId>(slot);
    const auto before = page.get(id);
    demand(page.update(id, small) == before.has_value() || (before && before->bytes.empty()),
           "a record of one byte takes the place of another");
    if (slot % 3 == 0) demand(page.erase(id) == before.has_value(), "what is there can be erased");
  }
  std::uint32_t met = 0;
  {
    Page::Cursor cursor(page);
    while (cursor.next()) ++met;
  }
  demand(met == page.records(), "a cursor meets every record");
  while (page.insert({some, false})) {
  }
  page.compact();
  demand(page.room().value_or(0) < some.size(), "what did not fit still does not");
}

void update_some(Node& node, Bytes value) {
  for (std::uint32_t slot = 0; slot < node.slots() && slot < 16; ++slot) {
    const bool fits = node.update(slot, {value, false});
    demand(!fits || std::ranges::equal(node.value(slot).bytes, value), "what was updated is there");
  }
}

void change(Node& node, Bytes some) {
  update_some(node, some);
  update_some(node, some.first(3));
  for (std::uint32_t slot = 0; slot < node.slots() && slot < 16; slot += 3) node.erase(slot);
  for (std::size_t i = 0; i < 16; ++i) (void)node.insert(some.subspan(i, 8), {some, false});
  // Without a gap, what is updated is put elsewhere by a compaction.
  const std::vector<std::byte> all(node.directory().gap_bytes());
  if (all.size() > 40) (void)node.insert(some.first(9), {Bytes(all).subspan(40), false});
  if (node.slots() > 0) node.erase(0);
  update_some(node, some);
  node.compact();
}

}  // namespace

bool exercise(std::span<std::byte> bytes) {
  (void)look_without_checking(bytes);
  const std::vector<std::byte> some(bytes.begin(), bytes.begin() + 40);
  std::vector<std::byte> copy(bytes.begin(), bytes.end());
  auto page = Page::open(copy);
  if (page) {
    look(*page);
    change(*page, some);
    look(*page);
    demand(PageView::open(copy).has_value(), "a page that was changed is whole");
  }
  copy.assign(bytes.begin(), bytes.end());
  auto node = Node::open(copy);
  if (node) {
    for (std::uint32_t slot = 0; slot < node->slots(); ++slot) {
      const SplitKey key = node->key(slot);
      std::vector<std::byte> whole(key.prefix.begin(), key.prefix.end());
      whole.insert(whole.end(), key.suffix.begin(), key.suffix.end());
      demand(node->find(whole) == slot, "each key is found at its slot");
      demand_inside(copy, key.suffix);
      demand_inside(copy, node->value(slot).bytes);
    }
    change(*node, some);
    demand(NodeView::open(copy).has_value(), "a node that was changed is whole");
  }
  return page.has_value() || node.has_value();
}

void exercise_layout(std::span<const std::byte> bytes) {
  const Layout layout = layout_of(bytes, 1, static_cast<std::uint32_t>(bytes.size()));
  std::uint64_t at = 0;
  for (const Area& area : layout.areas) {
    demand(area.offset_bytes == at && area.bytes > 0, "areas cover the page, none twice");
    at += area.bytes;
  }
  demand(at == bytes.size(), "areas end where the page ends");
}

void fill(std::span<std::byte> bytes, Random& random) {
  std::vector<std::byte> record(bytes.size() / 4);
  for (std::byte& byte : record) byte = static_cast<std::byte>(random.next());
  const auto some = [&] { return Bytes(record).first(random.below(record.size())); };
  const std::uint64_t count = 1 + random.below(20);
  if (random.one_in(2)) {
    Page page = Page::make(bytes);
    for (std::uint64_t i = 0; i < count; ++i) (void)page.insert({some(), false});
    (void)page.erase(static_cast<SlotId>(random.below(count)));
  } else {
    Node node = Node::make(bytes);
    for (std::uint64_t i = 0; i < count; ++i) {
      (void)node.insert(Bytes(record).subspan(random.below(record.size() - 9), random.below(9)),
                        {some(), false});
    }
    if (node.slots() > 1) node.erase(0);
  }
}

}  // namespace pagealloc::slotted
