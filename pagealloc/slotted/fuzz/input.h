// What libFuzzer hands over, as a page.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "pagealloc/options.h"

namespace pagealloc::slotted {

/// A page of the smallest size that the input fits into, with zeros behind it: so that short ones,
/// which are soon tried, are pages too.
inline std::vector<std::byte> page_of(const std::uint8_t* data, std::size_t size) {
  const std::size_t page_bytes =
      std::clamp<std::size_t>(std::bit_ceil(size), page_bytes_min, page_bytes_max);
  const auto* const input = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> page(input, input + std::min(size, page_bytes));
  page.resize(page_bytes);
  return page;
}

}  // namespace pagealloc::slotted
