// What all handles of a cached file share: the frames, who is where, what is dirty.
//
// A frame's bytes do not change while its page is found in it. A write brings a frame of its own,
// which takes the page's place, and whoever still reads the old one goes on reading it: so reading
// needs no lock but the hold, and writing back needs no copy.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "pagealloc/cache/counters.h"
#include "pagealloc/cache/dirty_pages.h"
#include "pagealloc/cache/frame_table.h"
#include "pagealloc/cache/replacement.h"
#include "pagealloc/cache/schedule.h"
#include "pagealloc/cache/turn.h"
#include "pagealloc/shared_file.h"

namespace pagealloc::cache {

struct Transfer;

/// A use of a page that was found: the policy is told later, many at once.
struct Use {
  FrameId frame;
  PageId page;
};

/// Thread safe.
class Cache {
 public:
  static Result<std::shared_ptr<Cache>> make(SharedFile& shared);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  FrameTable& table() noexcept { return *table_; }
  std::uint32_t frames() const noexcept { return table_->frames(); }
  /// One more handle that lends so many frames; false: they cannot be guaranteed.
  bool admit_handle(std::uint32_t lends) noexcept;
  /// True: it was the last.
  bool dismiss_handle(std::uint32_t lends) noexcept;

  // --- Finding ----------------------------------------------------------------------------------

  /// Holds the frame of a page that can be read at once, without a lock; no_frame: miss().
  FrameId pin(PageId page) noexcept;
  void unpin(FrameId frame) noexcept;
  /// Tells the policy what was used, unless somebody else is there: then they are forgotten, which
  /// costs a little precision and no waiting.
  void note(std::vector<Use>& uses) noexcept;

  /// What comes of a page that was not found at first.
  struct Miss {
    enum class Kind : std::uint8_t {
      found,     ///< after all, and held: `frame`
      loading,   ///< by this handle: `load`
      fresh,     ///< to be read into `frame`, which is claimed; found there from now on
      unshared,  ///< the same, but another handle is reading it: `frame` is the caller's alone
      full,      ///< none can be had before something is written back or given back
    };
    Kind kind;
    FrameId frame = no_frame;
    Transfer* load = nullptr;
  };
  /// `load` is who will read it.
  Miss miss(PageId page, Transfer& load, std::vector<Use>& uses) noexcept;
  /// For readahead: claims frames for these pages, which are appended to `claimed`, up to the first
  /// page that is somewhere already (true), or for which none can be had, or enough are being
  /// filled already.
  bool claim_ahead(PageId first, std::size_t pages, Transfer& load, std::vector<FrameId>& claimed,
                   std::vector<Use>& uses) noexcept;
  /// What was read has arrived. Who waits for it holds it already.
  void publish(std::span<const FrameId> filled) noexcept;
  /// It has not; or a staged frame is not needed after all.
  void give_up(FrameId frame) noexcept;

  // --- Writing ----------------------------------------------------------------------------------

  /// A frame to be filled, the caller's alone; no_frame as above.
  FrameId stage(std::vector<Use>& uses) noexcept;
  /// The frame takes the page's place. `dirty`: it is yet to be written back.
  void put(FrameId frame, PageId page, bool dirty, std::vector<Use>& uses) noexcept;
  /// Drops what there is of these pages, dirty or not.
  void drop(PageId page, std::uint64_t run) noexcept;
  /// All pages, except for what is being written back: the file may have it in part.
  void drop_all() noexcept;

  // --- Writing back: by one at a time, who has the turn -----------------------------------------

  Turn& turn() noexcept { return turn_; }
  std::uint32_t dirty() const noexcept { return dirty_count_.load(std::memory_order_relaxed); }
  /// Has the file something else than the cache? What is being written back counts until it is.
  bool any_unwritten(PageId page, std::uint64_t run) noexcept;
  /// Dirty pages in the order of their numbers, at most `max`, from where the last call ended;
  /// held until written(). The span is valid until the next call.
  std::span<const Dirty> take_dirty(std::size_t max) noexcept;
  /// They have been written, by one transfer, or not.
  void written(std::span<const Dirty> pages, bool good) noexcept;

  CacheCounters counters() noexcept;

 private:
  struct Ahead {
    bool unused = false;   // read ahead, and not yet asked for
    bool filling = false;  // counted in filling_ahead_
  };
  Cache(SharedFile& shared, std::unique_ptr<FrameTable> table);
  FrameId take_frame() noexcept;
  void reclaim(FrameId frame) noexcept;
  void detach(FrameId frame) noexcept;
  void clear_marks(FrameId frame) noexcept;
  void use(FrameId frame) noexcept;
  void enter(FrameId frame, PageId page, bool remembered, Transfer& load) noexcept;
  void apply(std::vector<Use>& uses) noexcept;
  void set_dirty(FrameId frame, bool on) noexcept;

  std::unique_ptr<FrameTable> table_;
  Turn turn_;
  Mutex mutex_;  // of all below; never held while the kernel is called
  std::unique_ptr<Replacement> replacement_;
  std::vector<FrameId> free_;
  std::vector<Transfer*> loads_;  // by frame: who fills it
  std::vector<Ahead> ahead_;      // by frame
  std::vector<bool> moving_;      // by frame: taken by take_dirty(), not yet written()
  DirtyPages dirty_;
  std::vector<Dirty> batch_;  // what take_dirty() found; changed by who has the turn
  PageId swept_ = 0;          // where take_dirty() goes on
  std::atomic<std::uint32_t> dirty_count_ = 0;
  std::uint32_t filling_ahead_ = 0;
  std::uint64_t lends_ = 0;  // what all handles together may lend
  CacheCounters counters_;
  std::atomic<std::uint64_t> hits_not_noted_ = 0;
};

}  // namespace pagealloc::cache
