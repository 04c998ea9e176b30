// In which order a measurement's pages are read, by each of its threads.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "pagealloc/error.h"

namespace pagealloc::harness::caches {

enum class Pattern : std::uint8_t { zipfian, uniform, sequential };
inline constexpr std::array pattern_names = {"zipfian", "uniform", "sequential"};

/// For each thread so many reads of the first `pages` pages of the file.
std::vector<std::vector<PageId>> orders_of(Pattern pattern, std::uint64_t pages,
                                           std::uint64_t reads, std::size_t threads,
                                           std::uint64_t seed);

/// The first `pages` of the file, once each.
std::vector<PageId> each_of(std::uint64_t pages);

}  // namespace pagealloc::harness::caches
