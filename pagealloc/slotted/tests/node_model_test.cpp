// The node against std::map: random operations, and after each all that must hold.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "pagealloc/random.h"
#include "pagealloc/slotted/node.h"
#include "pagealloc/slotted/tests/beside.h"
#include "pagealloc/slotted/tests/operations.h"

namespace pagealloc::slotted {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
std::string text_of(const SplitKey& key) { return text_of(key.prefix) + text_of(key.suffix); }

class NodeModel {
 public:
  NodeModel(std::uint32_t page_bytes, std::uint64_t seed)
      : random_(seed), bytes_(page_bytes), node_(Node::make(bytes_)) {
    new_style();
  }

  void step() {
    if (random_.one_in(500)) new_style();
    switch (random_.below(8)) {
      case 0:
      case 1:
      case 2:
        return insert();
      case 3:
        return update();
      case 4:
      case 5:
        return erase();
      case 6:
        return search();
      default:
        if (random_.one_in(10)) node_.compact();
        if (random_.one_in(50)) erase_all();
    }
  }

  /// A node made anew of what the map has, and the node as it is.
  std::string drawn() const {
    std::vector<std::byte> bytes(bytes_.size());
    Node expected = Node::make(bytes);
    for (const auto& [key, value] : model_) {
      (void)expected.insert(bytes_of(key), {bytes_of(value), false});
    }
    expected.compact();
    return beside(bytes, bytes_, page::Type::node);
  }

  void check() {
    const auto open = NodeView::open(bytes_);
    ASSERT_TRUE(open) << "offset " << open.error().offset_bytes << ": " << open.error().cause;
    ASSERT_EQ(node_.slots(), model_.size());
    std::uint32_t slot = 0;
    for (const auto& [key, value] : model_) {
      ASSERT_EQ(text_of(node_.key(slot)), key) << "slot " << slot;
      ASSERT_EQ(text_of(node_.value(slot).bytes), value) << "slot " << slot;
      ++slot;
    }
  }

  /// Insertions and updates that did not fit.
  unsigned refused() const { return refused_; }

 private:
  /// What keys look like: how they begin, how long they are, and how many letters there are.
  void new_style() {
    const char* const fronts[] = {"", "a", "user:000", "https://example.org/"};
    front_ = fronts[random_.below(4)];
    letters_ = random_.one_in(2) ? 3 : 256;
    longest_ = 1 + random_.below(random_.one_in(2) ? 6 : 30);
    value_bytes_ = random_.one_in(3) ? bytes_.size() / 8 : random_.below(20);
  }
  std::string key() {
    std::string text = random_.one_in(30) ? "" : front_;
    for (std::size_t left = random_.below(longest_ + 1); left > 0; --left) {
      text += static_cast<char>(random_.below(letters_));
    }
    return text;
  }
  std::string value() {
    const std::size_t most = random_.one_in(100) ? bytes_.size() : value_bytes_;
    return std::string(random_.below(most + 1), static_cast<char>('A' + random_.below(26)));
  }
  Record record(const std::string& value) { return {bytes_of(value), value.size() == 16}; }

  /// Does everything fit, and this entry as well, behind the longest prefix that all have?
  bool fits(const std::string& key, const std::string& value) const {
    auto all = model_;
    all[key] = value;
    std::size_t prefix = 0;
    const std::string& first = all.begin()->first;
    const std::string& last = all.rbegin()->first;
    if (!model_.empty()) {  // of one key alone there is none
      while (prefix < std::min(first.size(), last.size()) && first[prefix] == last[prefix]) {
        ++prefix;
      }
    }
    std::size_t bytes = 40 + prefix;
    for (const auto& [each, its] : all) bytes += 8 + 2 + each.size() - prefix + its.size();
    return bytes <= bytes_.size();
  }

  void insert() {
    const std::string now = key();
    const std::string with = value();
    const Put put = node_.insert(bytes_of(now), record(with));
    if (model_.contains(now)) {
      ASSERT_EQ(put, Put::exists);
    } else {
      ASSERT_EQ(put, fits(now, with) ? Put::done : Put::full) << with.size();
      refused_ += put == Put::full ? 1U : 0U;
      if (put == Put::done) model_[now] = with;
    }
  }
  void update() {
    if (model_.empty()) return;
    const auto slot = static_cast<std::uint32_t>(random_.below(node_.slots()));
    const std::string which = text_of(node_.key(slot));
    const std::string with = value();
    const bool done = node_.update(slot, record(with));
    // One key alone may have been given a prefix, by compact(): then more fits than without.
    ASSERT_TRUE(model_.size() == 1 || done == fits(which, with)) << with.size();
    if (done) model_[which] = with;
    refused_ += done ? 0U : 1U;
  }
  void erase() {
    if (model_.empty()) return;
    const auto slot = static_cast<std::uint32_t>(random_.below(node_.slots()));
    model_.erase(text_of(node_.key(slot)));
    node_.erase(slot);
  }
  void erase_all() {
    while (!model_.empty()) erase();
  }
  void search() {
    for (unsigned i = 0; i < 4; ++i) {
      const std::string wanted = key();
      const auto at = model_.lower_bound(wanted);
      const auto slot = static_cast<std::uint32_t>(std::distance(model_.begin(), at));
      ASSERT_EQ(node_.lower_bound(bytes_of(wanted)), slot) << wanted;
      const auto found = node_.find(bytes_of(wanted));
      ASSERT_EQ(found.has_value(), model_.contains(wanted));
      ASSERT_EQ(found.value_or(slot), slot);
    }
  }

  Random random_;
  std::vector<std::byte> bytes_;
  Node node_;
  std::map<std::string, std::string> model_;
  std::string front_;
  std::uint64_t letters_ = 256;
  std::uint64_t longest_ = 8;
  std::size_t value_bytes_ = 8;
  unsigned refused_ = 0;
};

class NodeSizes : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(NodeSizes, a_node_does_what_a_map_does) { expect_what_a_map_does<NodeModel>(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Of, NodeSizes,
                         ::testing::Values(512, 1024, 2048, 4096, 8192, 16384, 32768, 65536));

}  // namespace
}  // namespace pagealloc::slotted
