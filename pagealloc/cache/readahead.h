// Guesses which pages will be asked for next: after two equal steps, those at the same distance.
#pragma once

#include <algorithm>
#include <cstdint>

#include "pagealloc/error.h"

namespace pagealloc::cache {

/// One stream of accesses: a handle's. Not thread safe.
class Readahead {
 public:
  /// `count` pages, each `stride` after the one before.
  struct Guess {
    PageId first = 0;
    std::int64_t stride = 1;
    std::uint32_t count = 0;
  };

  /// Never more than so many pages ahead; 0: never.
  explicit Readahead(std::uint32_t window_max) : window_max_(window_max) {}

  /// `page` is asked for now.
  void see(PageId page) noexcept {
    const auto step = static_cast<std::int64_t>(page - last_);
    if (step == 0) return;  // several records of one page
    last_ = page;
    if (step == stride_) {
      if (steps_ < UINT32_MAX) ++steps_;
      if (steps_ == trusted_steps) wrong_ = 0;
      return;
    }
    // What was read ahead and is not reached any more was read in vain: next time it takes longer
    // to be believed. A stream that went well wipes that out.
    if (ahead_of(page - static_cast<PageId>(step)) * 2 > guessed_) ++wrong_;
    wrong_ = std::min(wrong_, wrong_max);
    stride_ = step;
    steps_ = 1;
    window_ = std::min(window_min, window_max_);
    guessed_ = 0;
    next_ = 0;
    going_ = false;
  }

  /// What to read now; count 0: nothing. What it names counts as read, unless it is taken back.
  Guess guess() noexcept {
    const bool far = stride_ == 0 || stride_ > stride_max || stride_ < -stride_max;
    if (window_max_ == 0 || far || steps_ < 2U + (wrong_ == 0 ? 0U : 1U << wrong_)) return {};
    std::uint64_t ahead = ahead_of(last_);
    if (ahead == 0) next_ = last_ + static_cast<PageId>(stride_);
    if (ahead * 2 > window_) return {};
    const auto count = static_cast<std::uint32_t>(window_ - ahead);
    const Guess guess{next_, stride_, count};
    going_ = true;
    next_ += static_cast<PageId>(stride_ * static_cast<std::int64_t>(count));
    guessed_ += count;
    window_ = std::min(window_ * 2, window_max_);
    return guess;
  }

  /// The last so many pages of the last guess were not read after all.
  void take_back(std::uint32_t count) noexcept {
    next_ -= static_cast<PageId>(stride_ * static_cast<std::int64_t>(count));
    guessed_ -= count;
  }

 private:
  static constexpr std::uint32_t window_min = 4;
  static constexpr std::int64_t stride_max = 64;
  static constexpr std::uint32_t wrong_max = 8;
  static constexpr std::uint32_t trusted_steps = 64;

  /// How many pages after `page` are read ahead.
  std::uint64_t ahead_of(PageId page) const noexcept {
    if (!going_ || stride_ == 0) return 0;
    const std::int64_t pages = (static_cast<std::int64_t>(next_ - page) / stride_) - 1;
    return pages > 0 ? static_cast<std::uint64_t>(pages) : 0;
  }

  std::uint32_t window_max_;
  std::uint32_t window_ = 0;
  PageId last_ = 0;
  std::int64_t stride_ = 0;
  std::uint32_t steps_ = 0;  // equal ones, one after the other
  PageId next_ = 0;          // what the next guess begins with
  bool going_ = false;       // there was a guess since the stride changed
  std::uint64_t guessed_ = 0;
  std::uint32_t wrong_ = 0;
};

}  // namespace pagealloc::cache
