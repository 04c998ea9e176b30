// Any bytes as a page, for libFuzzer: ./lab fuzz.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "pagealloc/options.h"
#include "pagealloc/slotted/tests/exercise.h"

/// The input is a page of the smallest size that it fits into, with zeros behind it; so that short
/// ones, which are soon tried, are pages too.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::size_t page_bytes = std::clamp<std::size_t>(
      std::bit_ceil(size), pagealloc::page_bytes_min, pagealloc::page_bytes_max);
  const auto* const input = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> page(input, input + std::min(size, page_bytes));
  page.resize(page_bytes);
  (void)pagealloc::slotted::exercise(page);
  return 0;
}
