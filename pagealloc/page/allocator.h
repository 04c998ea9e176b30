// A structured file: pages that are allocated, freed and given back, safe from power cuts.
//
// What allocate() and free() do is in memory alone until commit(). A commit overwrites nothing that
// the commit before it needs: the free map goes to pages that were free (map_tree.h), the
// superblock to the two pages that the last one is not in (superblock.h).
//
//   changed pages and map -> sync -> superblock, twice -> sync
//
// So after a power cut the file is as after the last commit that was acknowledged, or the one under
// way. Pages that were freed are handed out again only when the commit that freed them is durable:
// until then the last one needs them.
//
// What is written to a page that was in use before is written in place, and this promises nothing
// about it. Who wants old or new and nothing between writes to a page that he has just allocated,
// and frees the old one in the same commit.
#pragma once

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "pagealloc/page/free_map.h"
#include "pagealloc/page/map_tree.h"
#include "pagealloc/page/superblock.h"
#include "pagealloc/page_file.h"

namespace pagealloc::page {

/// How many pages there are of each kind.
struct Census {
  std::uint64_t pages = 0;
  std::uint64_t used = 0;     ///< superblocks and the map's among them
  std::uint64_t map = 0;      ///< the map's
  std::uint64_t held = 0;     ///< freed, and not to be handed out before the next commit
  std::uint64_t punched = 0;  ///< free, and without blocks on disk
};

/// Blocking, and for one thread, as page_file.h's helpers: nothing else may be in flight on the
/// handle. A page file has one allocator at a time. Not thread safe.
class Allocator {
 public:
  /// Makes an empty file a structured one, durable when this returns. Precondition: `file` has 0
  /// pages and lives as long as this. not_available on a block device, whose length is fixed.
  static Result<Allocator> format(PageFile& file, const Identity& identity);

  /// Reads the last commit. Copies of the superblock that are not whole are written again, if the
  /// file may be written; damaged() names them. Errors: not_page_file for what is no structured
  /// file, or one that format() never finished; not_available for another version, byte order or
  /// features; bad_argument for another page size; damaged, with the page.
  static Result<Allocator> open(PageFile& file);

  /// The superblock alone, for who looks at a file whose map is damaged: does not tell what is
  /// wrong with other copies, and mends none in a file that was opened to be read only.
  static Result<Superblock> last_commit(PageFile& file);

  /// A run of pages, the lowest that is free, as long as wanted; the file grows when there is none.
  /// What they hold is unspecified. They have blocks on disk: a full disk shows here, and nothing
  /// was changed then. To be written before the next commit: a page in use that was never written
  /// is damaged.
  Result<PageId> allocate(std::uint32_t run = 1);

  /// Frees the run that begins here. bad_argument for what is free already, does not begin a run,
  /// or is not the caller's; beyond_end.
  Result<void> free(PageId page);

  /// Makes durable what was written, allocated and freed, and `roots`. When this returns without an
  /// error it is acknowledged. After disk_full nothing has changed, and it may be tried again;
  /// after an error of the superblock's own write or sync nobody knows whether it is there, and
  /// from then on everything is refused (poisoned) until the file is opened again.
  Result<void> commit();

  /// Gives the blocks of free pages back to the file system, and commits. Errors: bad_argument when
  /// one of them is in use or was freed since the last commit, and then nothing was done;
  /// beyond_end; not_available where pages cannot be punched.
  Result<void> punch(PageId page, std::uint64_t count);
  /// Commits, cuts off what is free at the end, punches what is free elsewhere, and commits again.
  Result<void> compact();

  /// Precondition: page < pages().
  State state(PageId page) const noexcept { return map_.at(page); }
  bool is_map(PageId page) const { return tree_.owns(page); }
  /// Pages of the run that begins here. Precondition: it is used.
  std::uint32_t run_of(PageId page) const noexcept { return map_.run_of(page); }
  std::uint64_t pages() const noexcept { return map_.pages(); }
  Census census() const noexcept;

  /// What the next commit's number will be: the transaction of pages that are written now.
  std::uint64_t transaction() const noexcept { return last_.commit + 1; }
  /// As of the last commit.
  const Superblock& superblock() const noexcept { return last_; }
  /// Copies of the superblock that were found damaged at open.
  const std::vector<Error>& damaged() const noexcept { return damaged_; }
  PageFile& file() const noexcept { return *file_; }

  /// For what is stored in the file: where it begins. Part of the next commit.
  Roots roots = {};

 private:
  struct Run {
    PageId page;
    std::uint32_t pages;
  };
  explicit Allocator(PageFile& file) : file_(&file), tree_(file.geometry().page_bytes) {}

  Result<void> find_superblock();
  Result<void> mend_superblocks(unsigned whole);
  Result<void> write_superblocks(const Superblock& superblock, PageId first);
  Result<void> check_map() const;
  Result<void> check_usable() const;
  std::uint64_t run_max() const noexcept;

  Result<PageId> take(std::uint32_t run);
  Result<PageId> take_at(PageId page, std::uint32_t run);
  Result<void> grow(std::uint64_t more);
  std::uint64_t idle_pages() const noexcept;
  Result<void> fill_punched(PageId page, std::uint32_t run);
  void release(PageId page);
  void touch(PageId page, std::uint64_t count);
  void resize(std::uint64_t pages);
  Result<void> give_homes();
  void settle(const Superblock& superblock, PageId at);
  Result<void> cut_tail();
  Result<void> punch_run(PageId page, std::uint64_t count);
  Result<void> punch_all();
  Error refuse(PageId page, Errc code, std::string cause) const;

  PageFile* file_;
  FreeMap map_;
  MapTree tree_;
  Superblock last_;  // the last commit
  PageId at_ = 0;    // where its superblock is: 0 or 2
  std::uint64_t used_pages_ = 0;
  std::uint64_t held_pages_ = 0;
  std::vector<Run> held_;             // freed since the last commit, which needs them
  std::unordered_set<PageId> fresh_;  // allocated since the last commit
  std::vector<Error> damaged_;
  bool half_published_ = false;  // the last commit failed when its superblock was under way
};

}  // namespace pagealloc::page
