// A node of a B+tree: a slotted page whose slots are in the order of their keys.
//
// What all keys begin with is stored once, at the very end of the page: the prefix. A slot has the
// first four bytes after it, the head, so that a search reads slots and not records: eight bytes a
// slot, side by side, and one record at the end. Graefe calls them poor man's normalized keys
// (Modern B-Tree Techniques, 2011, 3.5).
//
// After directory.h's numbers:
//   offset  bytes
//       38      2  bytes of the prefix, which counts as heap
//       40      8  each slot:
//                    2  where its record lies
//                    2  bytes of the key behind the prefix: the suffix
//                    4  its first four bytes as a number, big end first, filled up with zeros
//
//   a record:     2  bytes of the value; ffff: a reference to pages of its own (overflow.h)
//                 s  the suffix
//                 v  the value
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "pagealloc/slotted/directory.h"

namespace pagealloc::slotted {

using Key = std::span<const std::byte>;

/// A key in two parts, in the order of bytes.
struct SplitKey {
  Key prefix;
  Key suffix;
  std::size_t size() const noexcept { return prefix.size() + suffix.size(); }
};

/// A node to be searched. Thread safe as long as nobody changes the page.
class NodeView {
 public:
  static constexpr std::uint32_t slot_bytes = 8;

  /// Takes any bytes: answers with what is wrong with them, or with a node that is whole, keys in
  /// order. Time is linear in the bytes of the keys. Precondition: bytes.size() is a page size.
  static std::expected<NodeView, page::Damage> open(std::span<const std::byte> bytes);
  /// Without looking: for a page that was opened before, and is found again in a cache. Of any
  /// other nothing outside is read, and nothing of sense is found.
  static NodeView trust(std::span<const std::byte> bytes) noexcept { return NodeView(bytes); }

  std::uint32_t slots() const noexcept { return directory_.slots(); }
  /// The first slot whose key is not less; slots() when all are.
  std::uint32_t lower_bound(Key key) const noexcept;
  /// The slot of this key.
  std::optional<std::uint32_t> find(Key key) const noexcept;
  /// Precondition: slot < slots().
  SplitKey key(std::uint32_t slot) const noexcept;
  /// Precondition: slot < slots().
  Record value(std::uint32_t slot) const noexcept;
  Key prefix() const noexcept;
  const Directory& directory() const noexcept { return directory_; }

 protected:
  explicit NodeView(std::span<const std::byte> bytes) noexcept : directory_(bytes, slot_bytes) {}

  struct Found {
    std::uint32_t slot;  ///< as lower_bound() says
    bool equal;
  };
  Found search(Key key) const noexcept;
  std::uint32_t head_of(std::uint32_t slot) const noexcept;
  Key suffix_of(std::uint32_t slot) const noexcept;
  std::uint32_t record_bytes(std::uint32_t slot) const noexcept;

 private:
  Found search_suffix(Key suffix) const noexcept;
  Found search_equal_heads(Key suffix, std::uint32_t head, std::uint32_t slot) const noexcept;

  Directory directory_;
};

enum class Put : std::uint8_t {
  done,
  exists,  ///< the key is there already
  full,    ///< it does not fit, even after a compaction
};

/// A node that is this program's to change. Belongs to one thread. Of the functions that change it,
/// those that say that they could not have changed nothing. Precondition of all: keys and values
/// are not in this page.
class Node : public NodeView {
 public:
  /// Makes these bytes an empty node.
  static Node make(std::span<std::byte> bytes) noexcept;
  /// As NodeView::open.
  static std::expected<Node, page::Damage> open(std::span<std::byte> bytes);

  Put insert(Key key, const Record& value) noexcept;
  /// False when it does not fit. Precondition: slot < slots().
  bool update(std::uint32_t slot, const Record& value) noexcept;
  /// The slots behind it move up by one. Precondition: slot < slots().
  void erase(std::uint32_t slot) noexcept;
  /// Puts the records side by side at the end of the page, behind the longest prefix that all keys
  /// have.
  void compact() noexcept { rebuild(common_prefix_bytes(), none, {}); }

 private:
  static constexpr std::uint32_t none = UINT32_MAX;  // as a slot

  explicit Node(std::span<std::byte> bytes) noexcept
      : NodeView(bytes), mutable_(bytes, slot_bytes) {}

  std::uint32_t common_prefix_bytes() const noexcept;
  std::uint32_t common_prefix_bytes(Key key) const noexcept;
  std::int64_t growth_bytes(std::uint32_t prefix_bytes) const noexcept;
  bool make_room(Key key, std::size_t value_bytes) noexcept;
  void rebuild(std::uint32_t prefix_bytes, std::uint32_t replaced,
               const Record& new_value) noexcept;
  void set_head(std::uint32_t slot, Key suffix) noexcept;
  std::uint32_t write(std::uint32_t end, std::uint32_t slot, Key suffix, Key more_suffix,
                      const Record& value) noexcept;
  void place(std::uint32_t slot, Key suffix, const Record& value) noexcept;

  MutableDirectory mutable_;
};

}  // namespace pagealloc::slotted
