// The whole page, beside a map that does the same.
#include <fmt/format.h>

#include <map>

#include "labs/07_slotted/tests/common.h"
#include "labs/07_slotted/tests/tests.h"

namespace pagealloc::labs {

namespace {

constexpr unsigned steps = 600;

class Model {
 public:
  Model(Test& t, std::uint32_t page_bytes)
      : t_(t), memory_(page_bytes), page_(slotted::Page::make(memory_.bytes())) {}

  /// Counts as many checks whatever is drawn.
  void step() {
    switch (t_.random().below(8)) {
      case 0:
      case 1:
      case 2:
        insert();
        break;
      case 3:
      case 4:
        update();
        break;
      case 5:
      case 6:
        erase();
        break;
      default:
        page_.compact();
        last_ = "compact()";
        function_ = "Page::compact";
        demand(true, true, "");
    }
    expect_page(t_, memory_.bytes(), entries_,
                {function_, "after " + last_ + ": see the invariants of the handout"});
    const auto open = slotted::PageView::open(memory_.bytes());
    demand(open.has_value(), true, open ? "" : open.error().cause);
  }

 private:
  Entry entry() {
    const std::size_t page_bytes = memory_.bytes().size();
    const auto kind = t_.random().below(30);
    if (kind == 0) return {record_text(t_, 16), true};
    if (kind == 1) return {std::string(page_bytes - t_.random().below(60), 'L')};
    if (kind < 5) return {""};
    return {record_text(t_, t_.random().below(page_bytes / 12))};
  }
  std::uint32_t some_slot() {
    return static_cast<std::uint32_t>(t_.random().below(entries_.size() + 2));
  }
  bool has(std::uint32_t slot) const { return slot < entries_.size() && entries_[slot].bytes; }
  std::uint32_t lowest_erased() const {
    std::uint32_t slot = 0;
    while (has(slot)) ++slot;
    return slot;
  }

  void demand(bool found, bool expected, const std::string& more) {
    if (t_.holds(found == expected)) return;
    t_.fail({.expected = fmt::format("after {}: {}", last_, expected),
             .found = fmt::format("{}{}{}", found, more.empty() ? "" : ", ", more),
             .cause = "the map beside it says otherwise; `--seed` repeats it step by step",
             .function = function_,
             .evidence = drawn(entries_, memory_.bytes())});
  }

  void insert() {
    const Entry now = entry();
    const std::uint32_t slot = lowest_erased();
    const std::size_t needed = now.bytes->size() + (slot == entries_.size() ? 4 : 0);
    const bool fits = needed <= free_bytes(memory_.bytes());
    last_ = fmt::format("insert({})", text_of(now));
    function_ = "Page::insert";
    const auto found = page_.insert(record_of(now));
    const bool elsewhere = found && fits && *found != slot;
    demand(found.has_value() && !elsewhere, fits,
           elsewhere ? fmt::format("slot {} and not the lowest, {}", *found, slot) : "");
    if (!fits) return;
    if (slot == entries_.size()) entries_.emplace_back();
    entries_[slot] = now;
  }
  void update() {
    const Entry now = entry();
    const std::uint32_t slot = some_slot();
    const bool fits = has(slot) && now.bytes->size() <=
                                       free_bytes(memory_.bytes()) + entries_[slot].bytes->size();
    last_ = fmt::format("update({}, {})", slot, text_of(now));
    function_ = "Page::update";
    demand(page_.update(static_cast<SlotId>(slot), record_of(now)), fits, "");
    if (fits) entries_[slot] = now;
  }
  void erase() {
    const std::uint32_t slot = some_slot();
    const bool there = has(slot);
    last_ = fmt::format("erase({})", slot);
    function_ = "Page::erase";
    demand(page_.erase(static_cast<SlotId>(slot)), there, "");
    if (there) entries_[slot] = {};
    while (!entries_.empty() && !entries_.back().bytes) entries_.pop_back();
  }

  Test& t_;
  Guarded memory_;
  slotted::Page page_;
  Entries entries_;
  std::string last_;
  const char* function_ = "";
};

}  // namespace

void does_what_a_map_does(Test& t) {
  for (const std::uint32_t page_bytes : page_sizes) {
    Model model(t, page_bytes);
    for (unsigned i = 0; i < steps; ++i) model.step();
  }
}

}  // namespace pagealloc::labs
