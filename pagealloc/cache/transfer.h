// An operation of the cache's own, on its way between frames and the file.
#pragma once

#include <algorithm>
#include <functional>
#include <span>
#include <vector>

#include "pagealloc/io_engine.h"
#include "pagealloc/pieces.h"

namespace pagealloc::cache {

/// All that an engine of a cache moves is one of these.
struct Transfer : Op {
  const void* owner;          // whose it is: handles are told apart by it
  std::vector<iovec> pieces;  // room for the longest, made at the start

  explicit Transfer(const void* its_owner) : owner(its_owner) {}
  /// It has ended, and its result is settled.
  virtual void ended() noexcept = 0;

  /// Begins to move the pages of `pieces`, which start at `first`. Frames that are neighbours in
  /// memory, too, as those of a scan are, move as one block: pinning pieces of one page each was a
  /// fifth of a scan's processor time.
  void begin(IoEngine& engine, Verb what, PageId first) noexcept {
    verb = what;
    page = first;
    run = static_cast<std::uint32_t>(pieces.size());
    scattered = !one_block();
    frame = scattered ? reinterpret_cast<std::byte*>(pieces.data())
                      : static_cast<std::byte*>(pieces.front().iov_base);
    done_bytes = 0;
    engine.begin(*this);
  }

 private:
  bool one_block() const noexcept {
    const auto follows = [](const iovec& one, const iovec& other) {
      return static_cast<std::byte*>(one.iov_base) + one.iov_len == other.iov_base;
    };
    return std::ranges::adjacent_find(pieces, std::not_fn(follows)) == pieces.end();
  }

 protected:
  Transfer(const Transfer&) = default;
  Transfer& operator=(const Transfer&) = default;
  ~Transfer() = default;
};

/// Tells those that have ended.
inline void deliver(IoEngine& engine) noexcept {
  while (!engine.ended().empty()) {
    static_cast<Transfer&>(engine.ended().pop()).ended();
  }
}

}  // namespace pagealloc::cache
