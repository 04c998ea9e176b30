// What a cache has done so far.
#pragma once

#include <cstdint>

namespace pagealloc {

/// In pages, but for `writes`.
struct CacheCounters {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;        ///< asked for and neither there nor on their way
  std::uint64_t evictions = 0;     ///< made room for others
  std::uint64_t ahead = 0;         ///< read before they were asked for
  std::uint64_t ahead_used = 0;    ///< of them, asked for since
  std::uint64_t ahead_wasted = 0;  ///< of them, gone without having been asked for
  std::uint64_t written_back = 0;
  std::uint64_t writes = 0;  ///< transfers that wrote them

  /// Pages that needed no transfer of their own, because a neighbour had one.
  std::uint64_t merged() const noexcept { return written_back - writes; }
};

}  // namespace pagealloc
