// How much the random tests do: PAGEALLOC_OPERATIONS of each kind, or what a build has time for.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

namespace pagealloc::slotted {

inline std::uint64_t operations() {
  constexpr std::uint64_t usual = 20'000;
  const char* const wanted = std::getenv("PAGEALLOC_OPERATIONS");
  return wanted == nullptr ? usual : std::stoull(wanted);
}

}  // namespace pagealloc::slotted
