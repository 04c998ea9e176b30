// The slotted page against std::map: random operations, and after each all that must hold.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pagealloc/random.h"
#include "pagealloc/slotted/page.h"
#include "pagealloc/slotted/tests/beside.h"
#include "pagealloc/slotted/tests/operations.h"

namespace pagealloc::slotted {
namespace {

struct Value {
  std::string bytes;
  bool is_reference = false;
  friend bool operator==(const Value&, const Value&) = default;
};

Record record_of(const Value& value) {
  return {std::as_bytes(std::span(value.bytes)), value.is_reference};
}
Value value_of(const Record& record) {
  return {std::string(reinterpret_cast<const char*>(record.bytes.data()), record.bytes.size()),
          record.is_reference};
}

class PageModel {
 public:
  PageModel(std::uint32_t page_bytes, std::uint64_t seed)
      : random_(seed), bytes_(page_bytes), page_(Page::make(bytes_)) {}

  void step() {
    if (random_.one_in(500)) typical_bytes_ = {};
    switch (random_.below(8)) {
      case 0:
      case 1:
      case 2:
        return insert();
      case 3:
      case 4:
        return update();
      case 5:
      case 6:
        return erase();
      default:
        return other();
    }
  }

  /// Insertions and updates that did not fit.
  unsigned refused() const { return refused_; }

  /// A page made anew of what the map has, and the page as it is.
  std::string drawn() const {
    std::vector<std::byte> bytes(bytes_.size());
    Page expected = Page::make(bytes);
    const std::size_t slots = model_.empty() ? 0 : std::size_t{model_.rbegin()->first} + 1;
    for (std::size_t slot = 0; slot < slots; ++slot) {
      const auto value = model_.find(static_cast<SlotId>(slot));
      (void)expected.insert(value == model_.end() ? Record{} : record_of(value->second));
    }
    for (std::size_t slot = 0; slot < slots; ++slot) {
      if (!model_.contains(static_cast<SlotId>(slot))) expected.erase(static_cast<SlotId>(slot));
    }
    return beside(bytes, bytes_, page::Type::slotted);
  }

  void check() {
    const auto open = PageView::open(bytes_);
    ASSERT_TRUE(open) << "offset " << open.error().offset_bytes << ": " << open.error().cause;
    ASSERT_EQ(open->records(), model_.size());
    std::size_t used = 0;
    for (std::uint32_t slot = 0; slot < page_.slots(); ++slot) {
      const auto record = page_.get(static_cast<SlotId>(slot));
      const auto expected = model_.find(static_cast<SlotId>(slot));
      ASSERT_EQ(record.has_value(), expected != model_.end()) << "slot " << slot;
      if (!record) continue;
      ASSERT_EQ(value_of(*record), expected->second) << "slot " << slot;
      used += record->bytes.size();
    }
    ASSERT_TRUE(model_.empty() || model_.rbegin()->first < page_.slots());
    ASSERT_EQ(page_.directory().free_bytes(), bytes_.size() - 40 - 4 * page_.slots() - used)
        << "every byte is a slot's, a record's, or free";
  }

 private:
  Value value() {
    if (random_.one_in(20)) return {std::string(16, static_cast<char>(random_.next())), true};
    if (!typical_bytes_) {
      const std::size_t kinds[] = {4, 24, bytes_.size() / 32, bytes_.size() / 5};
      typical_bytes_ = kinds[random_.below(4)];
    }
    const std::size_t most = random_.one_in(100)  ? bytes_.size() + 10
                             : random_.one_in(10) ? 0
                                                  : *typical_bytes_;
    std::string bytes(random_.below(most + 1), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random_.next());
    return {bytes};
  }
  std::optional<SlotId> some_slot() {
    if (model_.empty()) return {};
    auto at = model_.lower_bound(static_cast<SlotId>(random_.below(page_.slots())));
    return at == model_.end() ? model_.begin()->first : at->first;
  }

  void insert() {
    const Value now = value();
    const bool reuses = model_.size() < page_.slots();
    const std::size_t needed = now.bytes.size() + (reuses ? 0 : 4);
    const bool fits = needed <= page_.directory().free_bytes();
    ASSERT_EQ(page_.room().value_or(0) >= now.bytes.size() && page_.room().has_value(), fits);
    const auto slot = page_.insert(record_of(now));
    ASSERT_EQ(slot.has_value(), fits) << now.bytes.size() << " bytes";
    refused_ += slot ? 0U : 1U;
    if (!slot) return;
    ASSERT_TRUE(model_.emplace(*slot, now).second) << "slot " << *slot << " has a record";
    if (reuses) {
      SlotId lowest = 0;
      while (lowest != *slot && model_.contains(lowest)) ++lowest;
      ASSERT_EQ(*slot, lowest) << "the lowest that is erased";
    }
  }
  void update() {
    const auto slot = some_slot();
    if (!slot) return;
    const Value now = value();
    Value& old = model_.at(*slot);
    const bool fits = now.bytes.size() <= page_.directory().free_bytes() + old.bytes.size();
    ASSERT_EQ(page_.update(*slot, record_of(now)), fits);
    if (fits) old = now;
    refused_ += fits ? 0U : 1U;
  }
  void erase() {
    const auto slot = some_slot();
    if (!slot) return;
    ASSERT_TRUE(page_.erase(*slot));
    model_.erase(*slot);
    ASSERT_FALSE(page_.erase(*slot)) << "erased already";
    ASSERT_FALSE(page_.get(*slot));
    ASSERT_FALSE(page_.update(*slot, {}));
  }
  void other() {
    if (random_.one_in(8)) return walk();
    if (random_.one_in(4)) return page_.compact();
    auto open = Page::open(bytes_);
    ASSERT_TRUE(open) << open.error().cause;
    page_ = std::move(*open);
    while (random_.one_in(2) && !model_.empty()) erase();
  }
  /// What a cursor meets while others come and go: nothing twice, nothing under another's number,
  /// and all that was there all the time.
  void walk() {
    std::set<SlotId> seen;
    const auto before = model_;
    {
      Page::Cursor cursor(page_);
      for (auto next = cursor.next(); next; next = cursor.next()) {
        ASSERT_TRUE(seen.insert(next->first).second) << "slot " << next->first << " twice";
        ASSERT_EQ(value_of(next->second), model_.at(next->first));
        if (random_.one_in(3)) {
          const SlotId victim = *some_slot();
          ASSERT_TRUE(page_.erase(victim));
          model_.erase(victim);
          gone_.insert(victim);
        }
        if (random_.one_in(3)) {
          const Value now = value();
          const auto slot = page_.insert(record_of(now));
          ASSERT_FALSE(slot && gone_.contains(*slot)) << "an erased slot is given away";
          if (slot) model_.emplace(*slot, now);
        }
        if (seen.size() > 200) break;
      }
    }
    if (seen.size() <= 200) {
      for (const auto& [slot, value] : before) {
        ASSERT_TRUE(!model_.contains(slot) || seen.contains(slot)) << "slot " << slot << " missed";
      }
    }
    gone_.clear();
    const auto slot = page_.insert({});
    if (slot) model_.emplace(*slot, Value{});
  }

  Random random_;
  std::vector<std::byte> bytes_;
  Page page_;
  std::map<SlotId, Value> model_;
  std::set<SlotId> gone_;  // while a cursor is open
  std::optional<std::size_t> typical_bytes_;
  unsigned refused_ = 0;
};

class Sizes : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(Sizes, a_page_does_what_a_map_does) { expect_what_a_map_does<PageModel>(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Of, Sizes,
                         ::testing::Values(512, 1024, 2048, 4096, 8192, 16384, 32768, 65536));

/// Longer than 32 bits can say. There is no memory behind it, and none is needed.
TEST(Immense, records_are_refused_and_change_nothing) {
  const auto immense = std::as_bytes(std::span("ten bytes.", (std::size_t{1} << 32) + 10));
  std::vector<std::byte> bytes(4096);
  Page page = Page::make(bytes);
  const auto slot = page.insert({std::as_bytes(std::span("a record of twenty b", 20)), false});
  ASSERT_TRUE(slot);
  const auto before = bytes;
  EXPECT_FALSE(page.insert({immense, false}));
  EXPECT_FALSE(page.update(*slot, {immense, false}));
  EXPECT_EQ(bytes, before);
}

}  // namespace
}  // namespace pagealloc::slotted
