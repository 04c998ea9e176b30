// The free map in the file: a tree of pages that no commit overwrites.
//
// A leaf holds the states of some thousand pages, an inner page where those below it lie. A commit
// writes what has changed, and the path from there to the root, to pages that were free; the pages
// before them become free when the commit is durable. So the map is in pages that the map itself
// manages, grows with the file, and needs no log.
//
// Content, behind the header:
//   offset  bytes
//       32      8  first page that this part of the map is about
//       40      4  level; 0: a leaf
//       44      4  0
//       48         leaf: two bits for each page, the lowest bits of a byte first
//                  else: entries of 12 bytes, page (8) and its checksum (4)
//
// An entry has the checksum of the page it points to, because a page that was not written where it
// should be leaves an older one there that is whole, at its place, and wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_set>
#include <vector>

#include "pagealloc/page/checked.h"
#include "pagealloc/page/free_map.h"
#include "pagealloc/page/superblock.h"

namespace pagealloc::page {

/// Belongs to one thread.
class MapTree {
 public:
  explicit MapTree(std::uint32_t page_bytes) : page_bytes_(page_bytes) {}

  /// Pages that a leaf is about.
  std::uint64_t leaf_pages() const noexcept { return std::uint64_t{page_bytes_ - begins} * 4; }

  /// Can this be the map of a file with so many pages? Looks at its root alone, and needs no memory
  /// for more: of a file that claims to be very long. Errors as load().
  Result<void> check_root(PageFile& file, const Superblock& superblock) const;
  /// Reads what the superblock points to into `map`, which has its pages already. Errc::damaged
  /// names the page of the map where something is wrong.
  Result<void> load(PageFile& file, const Superblock& superblock, FreeMap& map);

  /// There are so many pages now, at least one. Returns the homes of what is not needed any more.
  std::vector<PageId> resize(std::uint64_t pages);
  /// The state of this page has changed, so its leaf and all above must be written.
  void touch(PageId page);
  /// Something that must be written needs a page to be written to. move() gives it one, and returns
  /// the page where it was before, if it was anywhere. Giving it one may touch more.
  bool needs_home() const noexcept { return !homeless_.empty(); }
  std::optional<PageId> move(PageId home);
  /// Pages that the map needs for a commit, whatever else changes before it, so that the one after
  /// it has as many again: what moves gives its old place back, what is new has none to give.
  std::uint64_t reserve_pages() const noexcept { return nodes_ - moved_ + new_nodes_; }

  /// Writes all that has changed to its new homes, and puts root, checksum and levels into
  /// `superblock`. Precondition: nothing needs a home. Not durable before the next sync; can be
  /// done again when it has failed.
  Result<void> write(PageFile& file, const FreeMap& map, std::uint64_t transaction,
                     Superblock& superblock);
  /// What was written is durable, and so is what points to it.
  void settle();

  /// Is this page one of the map's?
  bool owns(PageId page) const { return homes_.contains(page); }
  std::size_t size() const noexcept { return homes_.size(); }

 private:
  static constexpr std::uint32_t begins = 48;
  static constexpr std::uint32_t entry_bytes = 12;

  struct Node {
    PageId home = 0;  // 0, which is a superblock's: none yet
    std::uint32_t checksum = 0;
    bool changed = false;
    bool moved = false;  // since the last commit
  };
  struct Place {
    std::size_t level;
    std::size_t index;
  };

  std::size_t fanout() const noexcept { return (page_bytes_ - begins) / entry_bytes; }
  std::uint64_t first_page(Place place) const noexcept;
  void touch(Place place);
  static Result<PageRef> check_node(PageFile& file, const Node& node, std::uint64_t pages);
  Result<void> load_node(PageFile& file, Place place, FreeMap& map);
  Result<void> write_node(PageFile& file, Place place, const FreeMap& map, Buffer& buffer,
                          std::uint64_t transaction);

  std::uint32_t page_bytes_;
  std::vector<std::vector<Node>> levels_;  // leaves first; the last has one, the root
  std::vector<Place> homeless_;            // changed, and not moved
  std::unordered_set<PageId> homes_;
  std::uint64_t nodes_ = 0;
  std::uint64_t moved_ = 0;      // of them, since the last commit
  std::uint64_t new_nodes_ = 0;  // of them, without a home
};

}  // namespace pagealloc::page
