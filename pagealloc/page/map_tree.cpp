#include "pagealloc/page/map_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "pagealloc/page/field.h"

namespace pagealloc::page {

namespace {

constexpr std::size_t at_first = 32;
constexpr std::size_t at_level = 40;
constexpr std::size_t at_zero = 44;

}  // namespace

// --- Shape --------------------------------------------------------------------------------------

std::uint64_t MapTree::first_page(Place place) const noexcept {
  std::uint64_t pages = leaf_pages();
  for (std::size_t level = 0; level < place.level; ++level) pages *= fanout();
  return place.index * pages;
}

std::vector<PageId> MapTree::resize(std::uint64_t pages) {
  std::vector<PageId> gone;
  std::size_t count = (pages + leaf_pages() - 1) / leaf_pages();
  for (std::size_t level = 0;; ++level) {
    if (level == levels_.size()) levels_.emplace_back();
    auto& nodes = levels_[level];
    const std::size_t before = nodes.size();
    for (std::size_t i = count; i < before; ++i) {
      if (nodes[i].home != 0) gone.push_back(nodes[i].home);
    }
    nodes.resize(count);
    for (std::size_t i = before; i < count; ++i) touch(Place{level, i});
    if (count == 1) break;
    count = (count + fanout() - 1) / fanout();
  }
  const std::size_t height = static_cast<std::size_t>(
      std::ranges::find(levels_, std::size_t{1}, &std::vector<Node>::size) - levels_.begin());
  for (std::size_t level = height + 1; level < levels_.size(); ++level) {
    for (const Node& node : levels_[level]) {
      if (node.home != 0) gone.push_back(node.home);
    }
  }
  levels_.resize(height + 1);
  for (const PageId home : gone) homes_.erase(home);
  nodes_ = moved_ = new_nodes_ = 0;
  for (const auto& nodes : levels_) {
    nodes_ += nodes.size();
    new_nodes_ += static_cast<std::uint64_t>(std::ranges::count(nodes, PageId{0}, &Node::home));
    moved_ += static_cast<std::uint64_t>(std::ranges::count(nodes, true, &Node::moved));
  }
  std::erase_if(homeless_, [&](Place place) {
    return place.level >= levels_.size() || place.index >= levels_[place.level].size();
  });
  // Its last leaf says nothing of pages behind the end, and those above it have entries for what
  // there is.
  touch(pages - 1);
  return gone;
}

void MapTree::touch(PageId page) { touch(Place{0, page / leaf_pages()}); }

void MapTree::touch(Place place) {
  for (; place.level < levels_.size(); ++place.level, place.index /= fanout()) {
    if (place.index >= levels_[place.level].size()) return;  // made by resize(), which touches it
    Node& node = levels_[place.level][place.index];
    if (node.changed) return;  // and so is all above
    node.changed = true;
    if (!node.moved) homeless_.push_back(place);
  }
}

// --- A commit -----------------------------------------------------------------------------------

std::optional<PageId> MapTree::move(PageId home) {
  assert(needs_home());
  const Place place = homeless_.back();
  homeless_.pop_back();
  Node& node = levels_[place.level][place.index];
  const PageId before = std::exchange(node.home, home);
  node.moved = true;
  ++moved_;
  homes_.insert(home);
  if (before == 0) {
    --new_nodes_;
    return {};
  }
  homes_.erase(before);
  return before;
}

Result<void> MapTree::write(PageFile& file, const FreeMap& map, std::uint64_t transaction,
                            Superblock& superblock) {
  assert(!needs_home());
  Buffer buffer(page_bytes_, 1);
  for (std::size_t level = 0; level < levels_.size(); ++level) {  // children before their parents
    for (std::size_t index = 0; index < levels_[level].size(); ++index) {
      if (!levels_[level][index].changed) continue;
      auto written = write_node(file, {level, index}, map, buffer, transaction);
      if (!written) return written;
    }
  }
  const Node& root = levels_.back().front();
  superblock.map_root = root.home;
  superblock.map_checksum = root.checksum;
  superblock.map_levels = static_cast<std::uint32_t>(levels_.size());
  return {};
}

Result<void> MapTree::write_node(PageFile& file, Place place, const FreeMap& map, Buffer& buffer,
                                 std::uint64_t transaction) {
  Node& node = levels_[place.level][place.index];
  const auto bytes = buffer.bytes();
  std::ranges::fill(bytes, std::byte{0});
  store(bytes.data() + at_first, first_page(place));
  store(bytes.data() + at_level, static_cast<std::uint32_t>(place.level));
  if (place.level == 0) {
    map.encode(first_page(place), bytes.subspan(begins));
  } else {
    const auto& children = levels_[place.level - 1];
    std::byte* at = bytes.data() + begins;
    for (std::size_t i = place.index * fanout();
         i < std::min(children.size(), (place.index + 1) * fanout()); ++i, at += entry_bytes) {
      store(at, children[i].home);
      store(at + sizeof(PageId), children[i].checksum);
    }
  }
  const Header header{.type = Type::map, .page = node.home, .transaction = transaction};
  if (auto written = page::write(file, buffer, header); !written) return written;
  node.checksum = checksum_of(bytes);
  return {};
}

void MapTree::settle() {
  for (auto& nodes : levels_) {
    for (Node& node : nodes) node.changed = node.moved = false;
  }
  moved_ = 0;
}

// --- Opening ------------------------------------------------------------------------------------

Result<void> MapTree::check_root(PageFile& file, const Superblock& superblock) const {
  std::uint64_t nodes = (superblock.pages + leaf_pages() - 1) / leaf_pages();
  std::uint32_t levels = 1;
  for (; nodes > 1; ++levels) nodes = (nodes + fanout() - 1) / fanout();
  const PageId copy = 0;  // whichever it was read from
  if (superblock.map_levels != levels) {
    return std::unexpected(
        error_of(file, copy,
                 {108, fmt::format("a free map of {} levels, but {} pages need {}",
                                   superblock.map_levels, superblock.pages, levels)}));
  }
  const auto root = check_node(
      file, {.home = superblock.map_root, .checksum = superblock.map_checksum}, superblock.pages);
  if (!root) return std::unexpected(root.error());
  return {};
}

/// Is this the page that its parent means? Returns it.
Result<PageRef> MapTree::check_node(PageFile& file, const Node& node, std::uint64_t pages) {
  const auto damage = [&](std::string cause) {
    return std::unexpected(error_of(file, node.home, {0, std::move(cause)}));
  };
  if (node.home < superblocks || node.home >= pages) {
    return damage("the free map points here, and cannot");
  }
  auto lent = read(file, node.home, Type::map);
  if (!lent) lent.error().cause += "; this is a page of the free map";
  if (lent && checksum_of(lent->bytes()) != node.checksum) {
    return damage(
        fmt::format("the free map expects checksum {:08x} here: an older page, which a "
                    "later one was to replace",
                    node.checksum));
  }
  return lent;
}

Result<void> MapTree::load(PageFile& file, const Superblock& superblock, FreeMap& map) {
  (void)resize(superblock.pages);
  levels_.back().front() = {.home = superblock.map_root, .checksum = superblock.map_checksum};
  for (std::size_t level = levels_.size(); level-- > 0;) {
    for (std::size_t index = 0; index < levels_[level].size(); ++index) {
      if (auto good = load_node(file, {level, index}, map); !good) return good;
    }
  }
  settle();
  homeless_.clear();
  new_nodes_ = 0;
  return {};
}

Result<void> MapTree::load_node(PageFile& file, Place place, FreeMap& map) {
  const Node& node = levels_[place.level][place.index];
  const auto damage = [&](std::size_t offset_bytes, std::string cause) {
    return std::unexpected(error_of(file, node.home, {offset_bytes, std::move(cause)}));
  };
  const auto lent = check_node(file, node, map.pages());
  if (!lent) return std::unexpected(lent.error());
  homes_.insert(node.home);  // once: what it says below fits one place of the tree
  const auto bytes = lent->bytes();
  if (page::load<std::uint64_t>(bytes.data() + at_first) != first_page(place) ||
      page::load<std::uint32_t>(bytes.data() + at_level) != place.level ||
      !is_blank(bytes.subspan(at_zero, begins - at_zero))) {
    return damage(at_first, "another part of the free map than its place in the tree says");
  }
  const auto content = bytes.subspan(begins);
  if (place.level == 0) {
    map.decode(first_page(place), content);
    std::vector<std::byte> again(content.size());
    map.encode(first_page(place), again);
    if (std::ranges::equal(again, content)) return {};
    return damage(begins, "states of pages behind the end of the file");
  }
  auto& children = levels_[place.level - 1];
  const std::byte* at = bytes.data() + begins;
  for (std::size_t i = place.index * fanout();
       i < std::min(children.size(), (place.index + 1) * fanout()); ++i, at += entry_bytes) {
    children[i] = {.home = page::load<std::uint64_t>(at),
                   .checksum = page::load<std::uint32_t>(at + sizeof(PageId))};
  }
  const auto behind = static_cast<std::size_t>(at - bytes.data());
  if (!is_blank(bytes.subspan(behind))) return damage(behind, "entries behind the last one");
  return {};
}

}  // namespace pagealloc::page
