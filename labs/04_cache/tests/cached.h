// What the tests of lab 04 share: a cached file, and a cache without a file around it, each on a
// simulated machine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "labs/04_cache/tests/any_order.h"
#include "labs/04_cache/tests/assertions.h"
#include "labs/04_cache/tests/watched_kernel.h"
#include "labs/grader/bench.h"
#include "pagealloc/cache/cache.h"
#include "pagealloc/cache/transfer.h"
#include "pagealloc/open.h"

namespace pagealloc::labs {

using cache::FrameId;
using cache::no_frame;

/// `count` of the pages first ... first + limit - 1, in any order, none twice.
std::vector<PageId> some_pages(Random& random, std::size_t count, PageId first, PageId limit);
/// "1 write", "2 writes".
std::string counted(std::uint64_t count, std::string_view what);
/// The last lines of a long text.
std::string tail_of(const std::string& text, std::size_t lines = 24);
/// The last of what the any-order engine was asked for, and did; empty if that is nothing.
std::string text_of(std::span<const Note> notes);

/// Why `function` may not come back at all. For Test::expect_trouble().
std::string locked_twice(std::string_view function);

/// Moves one transfer at a time, as direct's engine does.
class OneByOne final : public IoEngine {
 public:
  using IoEngine::IoEngine;
  void begin(Op& op) noexcept override { end(op, blocking::execute(shared(), op)); }
  Result<std::unique_ptr<IoEngine>> another() noexcept override {
    return std::make_unique<OneByOne>(share());
  }
};

/// A file of version 0 that is open with a cache: CLOCK, nothing read ahead.
class Cached {
 public:
  struct Setup {
    std::string impl = "direct";  ///< or any_order
    std::uint32_t frames = 64;
    std::uint64_t pages = 100;
    std::uint32_t lends = 4;  ///< how many frames a handle may lend
  };
  Cached(Test& test, const Setup& setup);
  /// One that is never closed: closing the last handle writes back, and up to task 5 nobody may
  /// have written that.
  static Cached& kept(Test& test, const Setup& setup);

  std::unique_ptr<PageFile> another();
  /// Reads the page and gives it back, and what was read was this version. `when` is part of a
  /// sentence: "page 7 holds version 2, {when}".
  void reads_as(PageFile& through, PageId page, std::uint64_t version, const std::string& when,
                const Blame& blame);
  void reads_as(PageId page, std::uint64_t version, const std::string& when, const Blame& blame) {
    reads_as(*file, page, version, when, blame);
  }
  /// These bytes are this version of the page.
  void holds(std::span<const std::byte> bytes, PageId page, std::uint64_t version,
             const std::string& when, const Blame& blame);
  PageRef lent(PageFile& through, PageId page);
  void write(PageFile& through, PageId page, std::uint64_t version);
  void write(PageId page, std::uint64_t version) { write(*file, page, version); }
  void sync(const Blame& blame);
  CacheCounters counters() const { return file->cache_counters(); }
  const std::string& engine() const { return engine_; }

 private:
  Test& test_;
  std::string engine_;

 public:
  Bench bench;
  std::unique_ptr<PageFile> file;
};

/// A cache alone; what would be read from the file is filled in here.
class Bare {
 public:
  Bare(Test& test, std::uint32_t frames, std::uint64_t pages = 400,
       Eviction eviction = Eviction::clock);
  /// Never closed, as above.
  static Bare& kept(Test& test, std::uint32_t frames, std::uint64_t pages = 400,
                    Eviction eviction = Eviction::clock);

  /// Was it a hit? Then the policy has been told.
  bool read(PageId page);
  /// A hit or a miss, and held from then on.
  FrameId hold(PageId page);
  /// Reads a page ahead that is in no frame: nobody has asked for it yet.
  FrameId ahead(PageId page);
  /// Stages a frame, fills it and puts it. The frame.
  FrameId write(PageId page, std::uint64_t version, bool dirty = true);
  FrameId stage() { return cache->stage(uses_); }
  /// Stages until there is no frame any more: those it has got.
  std::vector<FrameId> stage_all();
  std::span<std::byte> bytes_of(FrameId frame) const;
  /// The frames, one a line: which page, which version, held, free, or forgotten.
  std::string picture() const;

 private:
  struct Load final : cache::Transfer {
    using Transfer::Transfer;
    void ended() noexcept override {}
  };
  Test& test_;
  std::vector<cache::Use> uses_;
  Load load_{this};

 public:
  Bench bench;
  WatchedKernel kernel{bench.kernel};
  std::shared_ptr<SharedFile> shared;
  std::shared_ptr<cache::Cache> cache;
};

}  // namespace pagealloc::labs
