// What tests write into a page, so that what they read tells which page it is and in which version.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "pagealloc/page_file.h"

namespace pagealloc::conformance {

/// `bytes` bytes, a multiple of 8. The word at a place differs from page to page and from version
/// to version, of which there are fewer than 2^20. Thread safe.
inline std::vector<std::byte> pattern(PageId page, std::uint64_t version,
                                      std::size_t bytes = 4096) {
  std::vector<std::byte> words(bytes);
  for (std::size_t i = 0; i + sizeof(std::uint64_t) <= bytes; i += sizeof(std::uint64_t)) {
    const std::uint64_t word = ((page << 20 ^ version) + i + 1) * 0x9E3779B97F4A7C15ULL;
    std::memcpy(words.data() + i, &word, sizeof word);
  }
  return words;
}

}  // namespace pagealloc::conformance
