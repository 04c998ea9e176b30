// A page file with a cache of its own, for engines that pass the kernel's by.
//
// Single pages are read and written in frames of the cache; runs, and memory of the caller's, go
// past it, and what there is of them in it is written first or dropped. One handle never waits for
// another's reads: what another one is reading it reads itself. Writes back it may wait for,
// because nobody leaves one under way when he returns to his caller.
#pragma once

#include <memory>
#include <vector>

#include "pagealloc/cache/background.h"
#include "pagealloc/cache/cache.h"
#include "pagealloc/cache/readahead.h"
#include "pagealloc/cache/transfer.h"
#include "pagealloc/cache/write_back.h"
#include "pagealloc/handle.h"

namespace pagealloc::cache {

/// What all handles of a cached file have in common. The order is that of their making.
struct Common {
  std::shared_ptr<Cache> cache;
  std::shared_ptr<Background> background;  ///< none for a file that is only read
};

class File final : public Handle {
 public:
  static Result<std::unique_ptr<PageFile>> open(std::unique_ptr<IoEngine> engine);
  static Result<std::unique_ptr<PageFile>> make(Common common, std::unique_ptr<IoEngine> engine);
  File(Common common, FrameArena arena, std::unique_ptr<IoEngine> engine);
  ~File() override;
  Result<std::unique_ptr<PageFile>> another() noexcept override;
  Result<void> resize(std::uint64_t pages) noexcept override;
  CacheCounters cache_counters() const noexcept override;

 private:
  /// A read into frames of the cache, and who waits for it.
  struct Load final : Transfer {
    Load(File& its_file, bool many) : Transfer(&its_file), file(&its_file), wide(many) {}
    void ended() noexcept override { file->loaded(*this); }
    File* file;
    bool wide;  // of many pages
    std::vector<FrameId> frames;
    OpList waiting;
    std::uint32_t chained = 0;  // of them, those that came when it was under way
  };
  /// What passes the cache by, for an operation of the caller's.
  struct Bypass final : Transfer {
    explicit Bypass(File& its_file) : Transfer(&its_file), file(&its_file) {}
    void ended() noexcept override { file->bypassed(*this); }
    File* file;
    Op* op = nullptr;
    FrameId staged = no_frame;  // written through: it becomes the page's
  };
  struct Flush final : Transfer {
    using Transfer::Transfer;
    void ended() noexcept override { done = true; }
    bool done = false;
  };

  /// Uses that the policy is told of together.
  static constexpr std::size_t uses_max = 64;

  void read(Op& op) noexcept override;
  void write(Op& op) noexcept override;
  void sync(Op& op) noexcept override { held_.push(op); }
  void punch(Op& op) noexcept override;
  void prefetch(Op& op) noexcept override;
  std::byte* frame_for(PageId page, std::uint32_t run) noexcept override;
  void give_back(std::byte* memory) noexcept override;
  bool spend(std::byte* memory) noexcept override;
  void advance(std::size_t wanted) noexcept override;

  void hit(Op& op, FrameId frame) noexcept;
  bool read_missing(Op& op) noexcept;
  PageId read_along(Load& load, PageId page) noexcept;
  struct Extent {
    PageId next;  // the first that was not had
    bool there;   // because it is in the cache already
  };
  Extent extend(Load& load, PageId first, std::uint32_t pages) noexcept;
  void begin_load(Load& load, PageId first) noexcept;
  Extent load_ahead(PageId first, std::uint32_t pages) noexcept;
  void read_ahead() noexcept;
  bool is_staged(FrameId frame) const noexcept;
  void write_staged(Op& op, FrameId frame) noexcept;
  void spend_on(FrameId frame, Op& op) noexcept;
  void drop_if_poisoned() noexcept;
  void begin_bypass(Op& op, FrameId staged = no_frame) noexcept;
  bool bypass(Op& op) noexcept;
  void loaded(Load& load) noexcept;
  void fail(Load& load) noexcept;
  void bypassed(Bypass& transfer) noexcept;
  void retry_held() noexcept;
  void pass_by(Op& op) noexcept;
  void sync_all(OpList& syncs) noexcept;
  blocking::Outcome flush() noexcept;
  void make_room() noexcept;
  void keep_up() noexcept;
  std::size_t page_bytes() const noexcept { return geometry_.page_bytes; }

  std::shared_ptr<Cache> cache_;
  std::shared_ptr<Background> background_;
  std::unique_ptr<IoEngine> engine_;
  WriteBack write_back_;
  Readahead readahead_;
  std::vector<Use> uses_;             // hits that the policy has not been told of
  std::vector<std::uint32_t> holds_;  // by frame: how often it is lent by this handle, or staged
  std::uint32_t lent_ = 0;            // frames of the cache, staged ones and those on their way too
  std::uint32_t under_way_ = 0;       // transfers of this handle's
  std::uint32_t wide_ = 0;            // of them, those that end other than one operation
  std::uint32_t chained_ = 0;         // operations that wait for a transfer which is another's, too
  std::vector<Load> loads_;           // for one page each
  std::vector<Load> wide_loads_;      // for many
  std::vector<Load*> idle_;
  std::vector<Load*> idle_wide_;
  std::vector<Bypass> bypasses_;
  std::vector<Bypass*> idle_bypasses_;
  std::uint32_t cluster_pages_;
  OpList held_;  // for syncs, and for what has to wait for a write back
  Flush flush_;
};

}  // namespace pagealloc::cache
