// THE interface: offer a batch of operations, collect them later.
//
// A blocking implementation and an asynchronous one can both run at their native speed behind it,
// because submitting and collecting are separate; and a read *lends a frame* instead of filling a
// buffer of the caller's, so that a memory map need not copy. CONTRACT.md numbers the clauses that
// every implementation keeps, and names the test of each; "clause N" below means those.
//
// Errors of the data path travel in Op::result and Op::os_error; error_of() turns them into a line
// for people. One handle belongs to one thread; another() makes the next thread's (clause 14).
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "pagealloc/cache/counters.h"
#include "pagealloc/error.h"

namespace pagealloc {

enum class Verb : std::uint8_t { read, write, sync, punch, prefetch };
std::string_view name_of(Verb verb);

/// What this file promises, found out at open; it never changes afterwards.
struct Geometry {
  std::uint32_t page_bytes = 0;    ///< 512 ... 65536, a power of two
  std::uint32_t align_bytes = 1;   ///< of caller-owned frames, of offsets and of lengths
  std::uint32_t atomic_bytes = 1;  ///< largest aligned write that never tears; 1: assume nothing
  std::uint32_t depth_max = 0;     ///< operations in flight before submit() pushes back
  std::uint32_t frames = 0;        ///< frames this handle is guaranteed to get, one page each
  bool fixed_size = false;         ///< a block device: no resize, no punch
  bool read_only = false;
  bool direct = false;         ///< O_DIRECT was asked for and granted
  bool write_through = false;  ///< O_DSYNC: reaped means durable
  /// Non-null: page i is always readable at base + i * page_bytes.
  const std::byte* base = nullptr;
};

/// One request and its future. The caller's memory; it must not move or be reused from submit()
/// until reap() hands it back.
struct alignas(64) Op {
  Verb verb = Verb::read;
  Errc result = Errc::ok;  ///< out, valid when reaped
  bool scattered = false;  // the library's: `frame` is the first of `run` pieces (io_engine.h)
  std::uint32_t run = 1;   ///< consecutive pages, contiguous in memory; sync ignores it
  PageId page = 0;         ///< the first one; sync ignores it
  /// read: out, the lent frame; give it back with release(). write: in, the staged frame (spent:
  /// nullptr when reaped) or the caller's own aligned memory. Else unused.
  std::byte* frame = nullptr;
  std::uint64_t user = 0;     ///< the caller's, never touched
  std::int32_t os_error = 0;  ///< out: errno behind `result`, 0 when no system call failed

  // The file's words while in flight.
  std::uint32_t done_bytes = 0;
  Op* next = nullptr;
  Op* overlap_previous = nullptr;  // debug builds: all operations in flight on the file
  Op* overlap_next = nullptr;
};
static_assert(sizeof(Op) == 64);

class PageFile {
 public:
  PageFile() = default;
  PageFile(const PageFile&) = delete;
  PageFile& operator=(const PageFile&) = delete;
  /// Waits for the operations in flight, which nobody can collect any more. Lent and staged frames
  /// end with the handle. Does not sync.
  virtual ~PageFile() = default;

  /// Takes a prefix of the batch, in order, and returns its length: fewer than batch.size() only
  /// when depth_max operations are in flight. Never waits for earlier operations and never
  /// allocates; a blocking implementation may execute an operation inside. Refused input is taken
  /// too, and comes back from reap() with the reason (clauses 1, 16).
  virtual std::size_t submit(std::span<Op* const> batch) noexcept = 0;

  /// Waits until `wait_for` operations are done (or as many as are in flight, if fewer) and writes
  /// those done, in any order and at most done.size(), to `done`. Returns how many. wait_for is
  /// capped to done.size(); 0 polls (clauses 2, 3).
  virtual std::size_t reap(std::span<Op*> done, std::size_t wait_for) noexcept = 0;

  /// A frame of `run` contiguous pages to become `page`, its bytes unspecified until filled.
  /// nullptr: none is free, or the range lies outside the file. Spent by a write, or given back
  /// by release() (clauses 4, 6, 9).
  [[nodiscard]] virtual std::byte* stage(PageId page, std::uint32_t run) noexcept = 0;

  /// Gives back what a read lent or stage() handed out, with the same run. nullptr is ignored.
  virtual void release(std::byte* frame, std::uint32_t run) noexcept = 0;

  /// Makes the file `pages` long; new pages really are allocated, so a full disk shows here and
  /// leaves the file as it was (clause 11). Pages that are cut off must be neither in flight nor
  /// lent (clause 7). Durable after the next sync. May block and allocate.
  [[nodiscard]] virtual Result<void> resize(std::uint64_t pages) noexcept = 0;

  /// A handle for another thread: same file, same poison, frames of its own. The two may be used
  /// at the same time and closed in any order.
  virtual Result<std::unique_ptr<PageFile>> another() noexcept = 0;

  /// Length in pages, as this process knows it. Thread safe.
  virtual std::uint64_t pages() const noexcept = 0;
  /// Why this file takes no more operations: ok, poisoned (reads still work), or found out by
  /// touching the map, so that bytes read since the last ok are not to be trusted: truncated (the
  /// file is shorter than it was) or io (it is not; its disk failed). Thread safe.
  virtual Errc failed() const noexcept = 0;
  /// The path given to open(). Valid as long as the handle.
  virtual std::string_view path() const noexcept = 0;

  /// What the file's own cache has done, for all handles together; zeros when it has none. Of hits
  /// other handles may have some still to tell.
  virtual CacheCounters cache_counters() const noexcept { return {}; }

  const Geometry& geometry() const noexcept { return geometry_; }

  /// mmap only, else nullptr: the address of a page, without a call. Precondition: page < pages().
  const std::byte* peek(PageId page) const noexcept {
    return geometry_.base == nullptr ? nullptr : geometry_.base + page * geometry_.page_bytes;
  }

 protected:
  Geometry geometry_;
};

/// What went wrong with a reaped operation, in a line that names file, page, offset and cause.
/// Precondition: op.result != Errc::ok.
Error error_of(const PageFile& file, const Op& op);

/// A lent run of pages that gives itself back. Move-only; must not outlive its file.
class [[nodiscard]] PageRef {
 public:
  PageRef(PageFile& file, PageId page, std::byte* frame, std::uint32_t run) noexcept
      : file_(&file), frame_(frame), page_(page), run_(run) {}
  PageRef(PageRef&& other) noexcept
      : file_(other.file_),
        frame_(std::exchange(other.frame_, nullptr)),
        page_(other.page_),
        run_(other.run_) {}
  PageRef& operator=(PageRef&& other) noexcept {
    if (this != &other) {
      reset();
      file_ = other.file_;
      frame_ = std::exchange(other.frame_, nullptr);
      page_ = other.page_;
      run_ = other.run_;
    }
    return *this;
  }
  ~PageRef() { reset(); }

  PageId page() const noexcept { return page_; }
  std::span<const std::byte> bytes() const noexcept {
    return {frame_, std::size_t{run_} * file_->geometry().page_bytes};
  }
  /// Gives the frame back now. An error when the file was found truncated while it was lent: the
  /// bytes seen may have been zeros.
  Result<void> release();

 private:
  void reset() noexcept {
    if (frame_ != nullptr) file_->release(std::exchange(frame_, nullptr), run_);
  }
  PageFile* file_;
  std::byte* frame_;
  PageId page_;
  std::uint32_t run_;
};

// --- Blocking helpers ---------------------------------------------------------------------------
// One operation, start to end. Precondition: nothing else is in flight on this handle; where it
// shows, because something else is full or comes back first, the end of the process.

/// Lends `run` pages from `page`.
[[nodiscard]] Result<PageRef> read_page(PageFile& file, PageId page, std::uint32_t run = 1);
/// Writes `bytes`, at most one page, zero-padded to a page. Not durable before sync().
[[nodiscard]] Result<void> write_page(PageFile& file, PageId page,
                                      std::span<const std::byte> bytes);
/// Writes whole pages straight from the caller's memory, aligned to geometry().align_bytes. Not
/// durable before sync(). Precondition: bytes.size() is a multiple of the page size.
[[nodiscard]] Result<void> write_run(PageFile& file, PageId page, std::span<std::byte> bytes);
/// Returns when every write, punch and resize reaped before is durable.
[[nodiscard]] Result<void> sync(PageFile& file);
/// Gives the space of `run` pages back to the file system; they read as zeros afterwards.
[[nodiscard]] Result<void> punch(PageFile& file, PageId page, std::uint32_t run = 1);
/// These pages will be read soon: begins to bring into the cache what is not there, as far as there
/// is room, and lends nothing. An error when there is no cache to bring them to (clause 18).
[[nodiscard]] Result<void> prefetch(PageFile& file, PageId page, std::uint32_t run = 1);

}  // namespace pagealloc
