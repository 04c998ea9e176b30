// How much is under way at a time, counted from the machine's trace.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pagealloc/error.h"
#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::labs {

/// One call, or one entry of a ring, from the moment in which the kernel had it to its answer.
struct Interval {
  std::string_view what;  ///< "preadv", "ring read", "ring write", "ring fsync" ...
  PageId page = 0;
  std::uint64_t begin_ns = 0;
  std::uint64_t end_ns = UINT64_MAX;  ///< UINT64_MAX: it has no answer yet
};

/// The calls `what` that the trace has from its event `from` on, and those under way.
std::vector<Interval> calls(os::sim::SimKernel& sim, std::size_t from, std::string_view what);
/// The entries of rings that were handed over from event `from` on.
std::vector<Interval> entries(os::sim::SimKernel& sim, std::size_t from);
/// Only those of this kind.
std::vector<Interval> only(std::span<const Interval> intervals, std::string_view what);

/// The most at one time.
std::size_t most_at_once(std::span<const Interval> intervals);
/// Of the time from the first begin to the last end, how many percent had at least `count`.
std::uint64_t percent_with(std::span<const Interval> intervals, std::size_t count);
/// How many have no answer yet.
std::size_t unanswered(std::span<const Interval> intervals);

/// The completions that were taken out of rings, a line each, in that order.
std::string completions(os::sim::SimKernel& sim);

/// A bar for each, on one scale of time; 24 at most.
std::string bars_of(std::span<const Interval> intervals);

}  // namespace pagealloc::labs
