// Every page once, in an order that looks random and that a seed repeats: no table, no repeats.
#pragma once

#include <bit>
#include <cstdint>

namespace pagealloc::harness {

/// splitmix64's mixer: a bijection of 64-bit words.
inline std::uint64_t mix(std::uint64_t word) noexcept {
  word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9ULL;
  word = (word ^ (word >> 27)) * 0x94D049BB133111EBULL;
  return word ^ (word >> 31);
}

/// A permutation of 0 ... pages-1. Repeated pages would be warm the second time.
class Sequence {
 public:
  Sequence(std::uint64_t pages, std::uint64_t seed) noexcept
      : pages_(pages),
        bits_(static_cast<unsigned>(std::bit_width(pages - 1))),
        mask_(bits_ == 0 ? 0 : ~0ULL >> (64 - bits_)),
        key_(mix(seed)) {}

  /// The page at `index` (taken modulo the number of pages).
  std::uint64_t operator[](std::uint64_t index) const noexcept {
    std::uint64_t value = index % pages_;
    do {  // a bijection of bits_ bits; values outside walk on until they are inside
      value = step(value);
    } while (value >= pages_);
    return value;
  }

 private:
  std::uint64_t step(std::uint64_t value) const noexcept {
    // Each line can be undone: adding, multiplying by an odd number, folding high bits down.
    const unsigned half = bits_ / 2 + 1;
    value = (value + key_) & mask_;
    value = (value * 0x9E3779B97F4A7C15ULL) & mask_;
    value ^= value >> half;
    value = (value * 0xBF58476D1CE4E5B9ULL + (key_ >> 32)) & mask_;
    value ^= value >> half;
    value = (value * 0x94D049BB133111EBULL) & mask_;
    value ^= value >> half;
    return value;
  }

  std::uint64_t pages_;
  unsigned bits_;
  std::uint64_t mask_;
  std::uint64_t key_;
};

}  // namespace pagealloc::harness
