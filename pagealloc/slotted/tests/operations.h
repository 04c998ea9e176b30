// Random operations on a page and on a map beside it, and how many: PAGEALLOC_OPERATIONS, or what a
// build has time for.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace pagealloc::slotted {

inline std::uint64_t operations() {
  constexpr std::uint64_t usual = 20'000;
  const char* const wanted = std::getenv("PAGEALLOC_OPERATIONS");
  return wanted == nullptr ? usual : std::stoull(wanted);
}

/// Model(page_bytes, seed) has step() and check(), which fail, drawn() for when they do, and
/// refused(): how often there was no room.
template <typename Model>
void expect_what_a_map_does(std::uint32_t page_bytes) {
  std::uint64_t left = operations();
  unsigned refused = 0;
  for (std::uint64_t seed = 1; left > 0; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Model model(page_bytes, seed);
    for (unsigned i = 0; i < 5'000 && left > 0; ++i, --left) {
      ASSERT_NO_FATAL_FAILURE(model.step()) << "step " << i << model.drawn();
      ASSERT_NO_FATAL_FAILURE(model.check()) << "step " << i << model.drawn();
    }
    refused += model.refused();
  }
  EXPECT_GT(refused, 0U) << "no page was ever full";
}

}  // namespace pagealloc::slotted
