// Debug builds: the operations in flight on a file, so that two that overlap are found (clause 7).
#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>

#include "pagealloc/page_file.h"

namespace pagealloc {

/// Thread safe. In release builds nothing is kept, and every function does nothing.
class InFlight {
 public:
  /// Before anything else is done with `op`: it is not in flight.
  static void clear(Op& op) noexcept;
  /// Ends the process when `op` overlaps one that is in flight; else keeps it until untrack(),
  /// which passes over what was never tracked.
  void track(Op& op, std::string_view path) noexcept;
  void untrack(Op& op) noexcept;
  /// Ends the process when something in flight reaches beyond the first `pages` pages.
  void check_nothing_beyond(std::uint64_t pages, std::string_view path) noexcept;

 private:
#ifndef NDEBUG
  std::mutex mutex_;
  Op* first_ = nullptr;  // linked through Op::overlap_next
#endif
};

}  // namespace pagealloc
