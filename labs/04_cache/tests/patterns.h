// Orders in which pages are asked for: those of cache/tests/policy_test.cpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "pagealloc/error.h"
#include "pagealloc/random.h"

namespace pagealloc::labs {

inline constexpr std::uint64_t pattern_pages = 400;

struct AccessPattern {
  const char* name;
  PageId (*page)(Random& random, std::size_t access);
};

/// About as often as 1/rank.
inline PageId skewed_page(Random& random, std::size_t) {
  const double uniform = static_cast<double>(random.below(1U << 20)) / (1U << 20);
  const double page = std::pow(static_cast<double>(pattern_pages), uniform);
  return std::min(pattern_pages - 1, static_cast<PageId>(page) - 1);
}

inline constexpr AccessPattern access_patterns[] = {
    {"uniform", [](Random& random, std::size_t) { return random.below(pattern_pages); }},
    {"skewed", skewed_page},
    {"loop", [](Random&, std::size_t access) { return PageId{access % 90}; }},
    {"hot set and scan",
     [](Random& random, std::size_t access) {
       return access % 3 == 0 ? PageId{access / 3 % pattern_pages} : random.below(40);
     }},
};

}  // namespace pagealloc::labs
