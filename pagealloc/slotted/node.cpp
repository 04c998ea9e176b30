#include "pagealloc/slotted/node.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>

namespace pagealloc::slotted {

namespace {

constexpr std::uint32_t length_bytes = 2;  // of a value, before it
constexpr std::uint32_t at_head = 4;       // in a slot

std::uint32_t head_of_suffix(Key suffix) noexcept {
  std::array<std::byte, sizeof(std::uint32_t)> first{};
  if (suffix.size() >= first.size()) {
    std::memcpy(first.data(), suffix.data(), first.size());
  } else {
    std::ranges::copy(suffix, first.begin());
  }
  return std::byteswap(page::load<std::uint32_t>(first.data()));
}

int compare(Key a, Key b) noexcept {
  const std::size_t common = std::min(a.size(), b.size());
  const int order = common == 0 ? 0 : std::memcmp(a.data(), b.data(), common);
  if (order != 0) return order;
  return a.size() < b.size() ? -1 : a.size() > b.size() ? 1 : 0;
}

std::size_t common_bytes(Key a, Key b) noexcept {
  const auto [end, unused] = std::ranges::mismatch(a, b);
  return static_cast<std::size_t>(end - a.begin());
}

}  // namespace

// --- Looking ------------------------------------------------------------------------------------

Key NodeView::prefix() const noexcept {
  const std::uint32_t bytes = std::min(directory_.extra(), directory_.heap_bytes());
  return directory_.bytes().last(bytes);
}

std::uint32_t NodeView::head_of(std::uint32_t slot) const noexcept {
  return page::load<std::uint32_t>(directory_.bytes().data() + directory_.at(slot) + at_head);
}

Key NodeView::suffix_of(std::uint32_t slot) const noexcept {
  const std::uint32_t begin = directory_.offset_of(slot) + length_bytes;
  const std::uint32_t bytes = directory_.length_of(slot);
  if (begin + bytes > directory_.page_bytes()) return {};
  return directory_.bytes().subspan(begin, bytes);
}

SplitKey NodeView::key(std::uint32_t slot) const noexcept { return {prefix(), suffix_of(slot)}; }

Record NodeView::value(std::uint32_t slot) const noexcept {
  const std::uint32_t offset = directory_.offset_of(slot);
  if (offset + length_bytes > directory_.page_bytes()) return {};
  const auto length = page::load<std::uint16_t>(directory_.bytes().data() + offset);
  const std::uint32_t begin = offset + length_bytes + directory_.length_of(slot);
  if (begin + stored_bytes(length) > directory_.page_bytes()) return {};
  return {directory_.bytes().subspan(begin, stored_bytes(length)), length == reference_length};
}

std::uint32_t NodeView::record_bytes(std::uint32_t slot) const noexcept {
  return length_bytes + directory_.length_of(slot) +
         static_cast<std::uint32_t>(value(slot).bytes.size());
}

std::uint32_t NodeView::lower_bound(Key key) const noexcept { return search(key).slot; }

std::optional<std::uint32_t> NodeView::find(Key key) const noexcept {
  const Found found = search(key);
  return found.equal ? std::optional(found.slot) : std::nullopt;
}

NodeView::Found NodeView::search(Key key) const noexcept {
  const Key shared = prefix();
  if (shared.empty()) return search_suffix(key);
  const int order = compare(key.first(std::min(key.size(), shared.size())), shared);
  if (order != 0) return {order < 0 ? 0 : slots(), false};
  return search_suffix(key.subspan(shared.size()));
}

// The search has no branch that depends on the keys: which half comes next is a multiplication, and
// no processor guesses it wrong. Comparing whole keys, each step would be a guess.
NodeView::Found NodeView::search_suffix(Key suffix) const noexcept {
  const std::uint32_t head = head_of_suffix(suffix);
  const std::uint32_t count = slots();
  const std::byte* const heads = directory_.bytes().data() + slots_begin + at_head;
  const auto is_less = [&](std::uint32_t slot) {
    return page::load<std::uint32_t>(heads + std::size_t{slot} * slot_bytes) < head;
  };
  std::uint32_t slot = 0;
  for (std::uint32_t left = count; left > 1;) {
    const std::uint32_t half = left / 2;
    slot += half * static_cast<std::uint32_t>(is_less(slot + half - 1));
    left -= half;
  }
  if (count > 0) slot += static_cast<std::uint32_t>(is_less(slot));
  // Of those that have this head, the records tell. Mostly there is one.
  if (slot == count || head_of(slot) != head) return {slot, false};
  const int order = compare(suffix_of(slot), suffix);
  if (order >= 0) return {slot, order == 0};
  return search_equal_heads(suffix, head, slot + 1);
}

/// From `slot` on: those that have this head, and then those that have a greater one.
NodeView::Found NodeView::search_equal_heads(Key suffix, std::uint32_t head,
                                             std::uint32_t slot) const noexcept {
  const std::uint32_t count = slots();
  std::uint32_t end = slot;
  for (std::uint32_t step = 1; end < count && head_of(end) == head; step *= 2) {
    end += std::min(step, count - end);
  }
  while (slot < end) {
    const std::uint32_t middle = slot + (end - slot) / 2;
    const int order = head_of(middle) == head ? compare(suffix_of(middle), suffix) : 1;
    if (order == 0) return {middle, true};
    (order < 0 ? slot : end) = order < 0 ? middle + 1 : middle;
  }
  return {slot, false};
}

std::expected<NodeView, page::Damage> NodeView::open(std::span<const std::byte> bytes) {
  const NodeView node(bytes);
  const Directory& directory = node.directory();
  if (auto wrong = directory.wrong_numbers()) return std::unexpected(std::move(*wrong));
  if (directory.extra() > directory.heap_bytes()) {
    return std::unexpected(
        page::Damage{38, fmt::format("a prefix of {} bytes in a heap of {}", directory.extra(),
                                     directory.heap_bytes())});
  }
  Owners owners(directory.page_bytes());
  std::uint32_t used_bytes = directory.extra();
  const std::uint32_t heap_end = directory.page_bytes() - directory.extra();
  for (std::uint32_t slot = 0; slot < directory.slots(); ++slot) {
    const std::uint32_t offset = directory.offset_of(slot);
    const std::uint32_t suffix_bytes = directory.length_of(slot);
    const auto damage = [&](const char* what) {
      return std::unexpected(page::Damage{
          directory.at(slot), fmt::format("slot {}: a record at {}, {}", slot, offset, what)});
    };
    if (offset < directory.heap_begin() || offset + length_bytes + suffix_bytes > heap_end) {
      return damage("outside of the heap");
    }
    const std::uint32_t value_bytes =
        stored_bytes(page::load<std::uint16_t>(bytes.data() + offset));
    const std::uint32_t all_bytes = length_bytes + suffix_bytes + value_bytes;
    if (offset + all_bytes > heap_end) return damage("whose value ends outside of the heap");
    if (!owners.take(offset, all_bytes)) return damage("which another record has as well");
    used_bytes += all_bytes;
    const Key suffix = node.suffix_of(slot);
    if (node.head_of(slot) != head_of_suffix(suffix)) return damage("whose head is another key's");
    if (slot > 0 && compare(node.suffix_of(slot - 1), suffix) >= 0) {
      return damage("whose key is not greater than the one before");
    }
  }
  if (used_bytes + directory.fragment_bytes() != directory.heap_bytes()) {
    return std::unexpected(page::Damage{
        36, fmt::format("records and prefix of {} bytes and {} of fragments, in a heap of {}",
                        used_bytes, directory.fragment_bytes(), directory.heap_bytes())});
  }
  return node;
}

// --- Changing -----------------------------------------------------------------------------------

Node Node::make(std::span<std::byte> bytes) noexcept {
  Node node(bytes);
  node.mutable_.clear();
  return node;
}

std::expected<Node, page::Damage> Node::open(std::span<std::byte> bytes) {
  if (auto viewed = NodeView::open(bytes); !viewed) return std::unexpected(viewed.error());
  return Node(bytes);
}

Put Node::insert(Key key, const Record& value) noexcept {
  const auto [slot, exists] = search(key);
  if (exists) return Put::exists;
  const Key shared = prefix();
  const bool fits_prefix = common_bytes(key, shared) == shared.size();
  const std::size_t suffix_bytes = key.size() - (fits_prefix ? shared.size() : 0);
  const std::size_t needed = slot_bytes + length_bytes + suffix_bytes + value.bytes.size();
  if (!fits_prefix || needed > mutable_.gap_bytes()) {
    if (!make_room(key, value.bytes.size())) return Put::full;
  }
  const std::uint32_t count = slots();
  std::byte* const at = mutable_.data() + mutable_.at(slot);
  std::memmove(at + slot_bytes, at, std::size_t{count - slot} * slot_bytes);
  mutable_.set_slots(count + 1);
  const Key suffix = key.subspan(prefix().size());
  set_head(slot, suffix);
  place(slot, suffix, value);
  return Put::done;
}

/// Rebuilds the node so that this key fits into it; false when it cannot.
bool Node::make_room(Key key, std::size_t value_bytes) noexcept {
  const std::uint32_t prefix_bytes = common_prefix_bytes(key);
  const std::int64_t needed = slot_bytes + length_bytes +
                              static_cast<std::int64_t>(key.size() - prefix_bytes + value_bytes);
  if (growth_bytes(prefix_bytes) + needed > mutable_.free_bytes()) return false;
  rebuild(prefix_bytes, none, {});
  return true;
}

/// What all records together need more when the prefix has so many bytes; negative: less.
std::int64_t Node::growth_bytes(std::uint32_t prefix_bytes) const noexcept {
  const auto less = static_cast<std::int64_t>(prefix().size()) - std::int64_t{prefix_bytes};
  return less * (std::int64_t{slots()} - 1);
}

/// Keys are in order: what the first and the last have in common, all have.
std::uint32_t Node::common_prefix_bytes() const noexcept {
  if (slots() == 0) return 0;
  const std::size_t more = common_bytes(suffix_of(0), suffix_of(slots() - 1));
  return static_cast<std::uint32_t>(prefix().size() + more);
}

/// The same, with a key that is not in it yet. An empty node has no prefix: of one key alone it
/// would be all, and the next one would have to shorten it.
std::uint32_t Node::common_prefix_bytes(Key key) const noexcept {
  if (slots() == 0) return 0;
  const std::size_t common = common_bytes(key, prefix());
  if (common < prefix().size()) return static_cast<std::uint32_t>(common);
  const Key suffix = key.subspan(common);
  const std::size_t more =
      std::min(common_bytes(suffix, suffix_of(0)), common_bytes(suffix, suffix_of(slots() - 1)));
  return static_cast<std::uint32_t>(common + more);
}

/// Puts all records in their places anew, one of them with another value. Precondition: there is
/// room for it.
void Node::rebuild(std::uint32_t prefix_bytes, std::uint32_t replaced,
                   const Record& new_value) noexcept {
  const Scratch before(mutable_);
  const auto old_prefix_bytes = static_cast<std::uint32_t>(prefix().size());
  const std::byte* const old_prefix = before.at(mutable_.page_bytes() - old_prefix_bytes);
  // The longer prefix takes its last bytes from any key.
  const std::byte* const first =
      slots() == 0 ? nullptr : before.at(mutable_.offset_of(0) + length_bytes);
  std::byte* const new_prefix = mutable_.data() + mutable_.page_bytes() - prefix_bytes;
  const std::uint32_t kept = std::min(prefix_bytes, old_prefix_bytes);
  if (kept > 0) std::memcpy(new_prefix, old_prefix, kept);
  if (prefix_bytes > kept) std::memcpy(new_prefix + kept, first, prefix_bytes - kept);
  mutable_.set_fragment_bytes(0);
  mutable_.set_extra(prefix_bytes);
  const Key front = Key(old_prefix, old_prefix_bytes).subspan(kept);  // goes back to the keys
  const std::uint32_t cut_bytes = prefix_bytes - kept;                // leaves them
  std::uint32_t begin = mutable_.page_bytes() - prefix_bytes;
  for (std::uint32_t slot = 0; slot < slots(); ++slot) {
    const std::byte* const record = before.at(mutable_.offset_of(slot));
    const Key suffix(record + length_bytes, mutable_.length_of(slot));
    const auto length = page::load<std::uint16_t>(record);
    if (prefix_bytes == old_prefix_bytes && slot != replaced) {  // as it is, in one piece
      const auto bytes =
          static_cast<std::uint32_t>(length_bytes + suffix.size() + stored_bytes(length));
      begin -= bytes;
      std::memcpy(mutable_.data() + begin, record, bytes);
      mutable_.set_slot(slot, begin, mutable_.length_of(slot));
      continue;
    }
    const Record value{{suffix.data() + suffix.size(), stored_bytes(length)},
                       length == reference_length};
    begin =
        write(begin, slot, front, suffix.subspan(cut_bytes), slot == replaced ? new_value : value);
    set_head(slot, suffix_of(slot));
  }
  mutable_.set_heap_bytes(mutable_.page_bytes() - begin);
}

void Node::set_head(std::uint32_t slot, Key suffix) noexcept {
  page::store(mutable_.data() + mutable_.at(slot) + at_head, head_of_suffix(suffix));
}

/// Writes a record that ends at `end`, its key's suffix in two parts, and returns where it begins.
std::uint32_t Node::write(std::uint32_t end, std::uint32_t slot, Key suffix, Key more_suffix,
                          const Record& value) noexcept {
  const auto suffix_bytes = static_cast<std::uint32_t>(suffix.size() + more_suffix.size());
  const std::uint32_t offset =
      end - length_bytes - suffix_bytes - static_cast<std::uint32_t>(value.bytes.size());
  std::byte* at = mutable_.data() + offset;
  page::store(at, static_cast<std::uint16_t>(length_of(value)));
  at += length_bytes;
  for (const Key part : {suffix, more_suffix, value.bytes}) {
    if (!part.empty()) std::memcpy(at, part.data(), part.size());
    at += part.size();
  }
  mutable_.set_slot(slot, offset, suffix_bytes);
  return offset;
}

/// Copies a record to the front of the heap. Precondition: the gap has room.
void Node::place(std::uint32_t slot, Key suffix, const Record& value) noexcept {
  const std::uint32_t begin = write(mutable_.heap_begin(), slot, suffix, {}, value);
  mutable_.set_heap_bytes(mutable_.page_bytes() - begin);
}

bool Node::update(std::uint32_t slot, const Record& new_value) noexcept {
  const Record old = value(slot);
  const std::size_t old_bytes = old.bytes.size();
  const std::size_t new_bytes = new_value.bytes.size();
  const std::uint32_t offset = mutable_.offset_of(slot);
  if (new_bytes <= old_bytes) {
    page::store(mutable_.data() + offset, static_cast<std::uint16_t>(length_of(new_value)));
    const std::uint32_t begin = offset + length_bytes + mutable_.length_of(slot);
    if (new_bytes > 0) std::memcpy(mutable_.data() + begin, new_value.bytes.data(), new_bytes);
    mutable_.set_fragment_bytes(mutable_.fragment_bytes() +
                                static_cast<std::uint32_t>(old_bytes - new_bytes));
    return true;
  }
  const auto more = static_cast<std::int64_t>(new_bytes - old_bytes);
  const std::uint32_t record = record_bytes(slot);
  if (record + static_cast<std::uint64_t>(more) <= mutable_.gap_bytes()) {
    mutable_.set_fragment_bytes(mutable_.fragment_bytes() + record);
    place(slot, suffix_of(slot), new_value);
    return true;
  }
  const std::uint32_t prefix_bytes = common_prefix_bytes();
  if (growth_bytes(prefix_bytes) + more > mutable_.free_bytes()) return false;
  rebuild(prefix_bytes, slot, new_value);
  return true;
}

void Node::erase(std::uint32_t slot) noexcept {
  mutable_.set_fragment_bytes(mutable_.fragment_bytes() + record_bytes(slot));
  const std::uint32_t count = slots();
  std::byte* const at = mutable_.data() + mutable_.at(slot);
  std::memmove(at, at + slot_bytes, std::size_t{count - slot - 1} * slot_bytes);
  mutable_.set_slots(count - 1);
}

}  // namespace pagealloc::slotted
