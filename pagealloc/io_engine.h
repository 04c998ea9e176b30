// What an implementation is: the way in which it moves bytes between memory and a file.
//
// Whose memory that is, frames of a handle or of a cache, is not its business; nor are the
// contract's rules, which handle.h keeps for all of them.
#pragma once

#include <memory>
#include <span>

#include "pagealloc/blocking.h"
#include "pagealloc/op_list.h"
#include "pagealloc/shared_file.h"

namespace pagealloc {

/// Belongs to one thread, its handle's. Whoever destroys one has collected what was under way.
class IoEngine {
 public:
  explicit IoEngine(std::shared_ptr<SharedFile> shared) : shared_(std::move(shared)) {}
  virtual ~IoEngine() = default;
  IoEngine(const IoEngine&) = delete;
  IoEngine& operator=(const IoEngine&) = delete;

  /// Starts an operation: a read into op.frame, a write from it (of Op::scattered: into or from the
  /// pieces), a sync, a punch or, through the page cache, a prefetch. It passed
  /// SharedFile::admit(); op.done_bytes is 0. It ends in ended(), now or while advance() runs.
  virtual void begin(Op& op) noexcept = 0;
  /// Hands what was begun to the kernel, without waiting.
  virtual void send() noexcept {}
  /// Sends, and brings operations to their end until `wanted` more of them are in ended(), or none
  /// is under way; 0: looks which ones have come back.
  virtual void advance(std::size_t /*wanted*/) noexcept {}
  /// Is an operation still under way when begin() returns, so that several overlap?
  virtual bool overlaps() const noexcept { return false; }
  /// An engine for another thread, on the same file.
  virtual Result<std::unique_ptr<IoEngine>> another() noexcept = 0;
  /// Tells which memory transfers will use, once and before the first; it outlives the engine.
  virtual Result<void> prepare(std::span<const iovec> /*memory*/) { return {}; }
  /// Non-null: page i is always readable at base + i * page_bytes, and needs no read.
  virtual const std::byte* base() const noexcept { return nullptr; }
  /// A page of the file that a writer may fill where it is; nullptr: it needs a frame.
  virtual std::byte* page_in_place(PageId /*page*/) noexcept { return nullptr; }

  /// Those that have ended and nobody has taken out yet, their results settled.
  OpList& ended() noexcept { return ended_; }
  SharedFile& shared() const noexcept { return *shared_; }
  std::shared_ptr<SharedFile> share() const noexcept { return shared_; }

 protected:
  void end(Op& op, blocking::Outcome outcome) noexcept {
    shared_->settle(op, outcome.result, outcome.os_error);
    ended_.push(op);
  }

 private:
  std::shared_ptr<SharedFile> shared_;
  OpList ended_;
};

}  // namespace pagealloc
