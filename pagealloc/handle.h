// What every handle does alike, whatever engine moves its bytes and wherever its frames come from:
// the contract's rules around each operation.
#pragma once

#include <memory>
#include <span>
#include <thread>

#include "pagealloc/blocking.h"
#include "pagealloc/frame_arena.h"
#include "pagealloc/op_list.h"
#include "pagealloc/shared_file.h"

namespace pagealloc {

class Handle : public PageFile {
 public:
  std::size_t submit(std::span<Op* const> batch) noexcept final;
  std::size_t reap(std::span<Op*> done, std::size_t wait_for) noexcept final;
  std::byte* stage(PageId page, std::uint32_t run) noexcept final;
  void release(std::byte* frame, std::uint32_t run) noexcept final;
  std::uint64_t pages() const noexcept final { return shared_->pages(); }
  Errc failed() const noexcept final { return shared_->failed(); }
  std::string_view path() const noexcept final { return shared_->path(); }

 protected:
  Handle(std::shared_ptr<SharedFile> shared, FrameArena arena);
  ~Handle() override;

  // Each starts an operation that passed the contract's checks. It ends in finish(), now or later.
  virtual void read(Op& op) noexcept = 0;
  virtual void write(Op& op) noexcept = 0;
  virtual void sync(Op& op) noexcept = 0;
  virtual void punch(Op& op) noexcept = 0;
  virtual void prefetch(Op& op) noexcept = 0;
  /// A frame to become `page`, or nullptr when none is free. The range lies inside the file.
  virtual std::byte* frame_for(PageId page, std::uint32_t run) noexcept = 0;
  /// Takes back what is not the arena's.
  virtual void give_back(std::byte* /*frame*/) noexcept {}
  /// Takes back what was staged for a write that has been refused; false: it was not.
  virtual bool spend(std::byte* /*frame*/) noexcept { return false; }
  /// Brings operations to their end until `wanted` of them wait in done(), or none is left.
  virtual void advance(std::size_t wanted) noexcept = 0;

  /// Takes frames for a read; finishes it with no_frames and returns false when there are none.
  bool lend(Op& op) noexcept;
  /// The end of an operation: its result, its frames, its place in done(). Owner's thread only.
  void finish(Op& op, blocking::Outcome outcome) noexcept;
  bool staged_in_place(const Op& op) const noexcept;
  /// For destructors: waits for all in flight.
  void drain() noexcept;

  SharedFile& shared() const noexcept { return *shared_; }
  std::shared_ptr<SharedFile> share() const noexcept { return shared_; }
  FrameArena& arena() noexcept { return arena_; }
  std::size_t done() const noexcept { return done_.size(); }

 private:
  void start(Op& op) noexcept;
  void check_thread() noexcept;

  std::shared_ptr<SharedFile> shared_;
  FrameArena arena_;
  OpList done_;                // ended, not yet reaped
  std::size_t in_flight_ = 0;  // submitted, not yet reaped
  std::thread::id owner_;      // debug builds: the first user
};

}  // namespace pagealloc
