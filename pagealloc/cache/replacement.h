// Which page makes room for the next one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "pagealloc/error.h"
#include "pagealloc/options.h"

namespace pagealloc::cache {

using FrameId = std::uint32_t;
inline constexpr FrameId no_frame = UINT32_MAX;

/// A policy of eviction. Not thread safe: the cache calls it under its lock, hits in the order in
/// which they happened. Nothing is allocated after it was made.
class Replacement {
 public:
  virtual ~Replacement() = default;

  /// Was `page`, which is missing, here not long ago? To be asked before room is made for it.
  virtual bool remembers(PageId /*page*/) const noexcept { return false; }
  /// `frame` holds `page` from now on, which nobody may have asked for yet; `remembered` is what
  /// was answered for it, and is used up.
  virtual void admit(FrameId frame, PageId page, bool remembered) noexcept = 0;
  /// The page in `frame` was used again.
  virtual void touch(FrameId frame) noexcept = 0;
  /// Another frame holds the page from now on, and takes the place of the first.
  virtual void rename(FrameId from, FrameId to) noexcept = 0;
  /// The page is dropped, for other reasons than room.
  virtual void forget(FrameId frame) noexcept = 0;

  /// May this frame be taken away now? One that is lent or not yet written back may not.
  using Claim = std::function<bool(FrameId)>;
  /// The frame whose page has gone to make room, the first of the policy's choice that `claim`
  /// gives; no_frame when it gives none.
  virtual FrameId evict(const Claim& claim) noexcept = 0;
};

/// For a cache of `frames` frames.
std::unique_ptr<Replacement> make_replacement(Eviction eviction, std::uint32_t frames);

std::unique_ptr<Replacement> make_clock(std::uint32_t frames);
std::unique_ptr<Replacement> make_lru(std::uint32_t frames);
std::unique_ptr<Replacement> make_s3_fifo(std::uint32_t frames);
std::unique_ptr<Replacement> make_two_q(std::uint32_t frames);

}  // namespace pagealloc::cache
