// Random numbers that a seed repeats on every machine.
#pragma once

#include <cstdint>

namespace pagealloc {

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). One word
/// of state, so that a stream for each concern costs nothing; std::mt19937_64 takes 2.5 KiB and as
/// long to seed as a whole short run.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t word = state_ += 0x9E3779B97F4A7C15ULL;
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9ULL;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBULL;
    return word ^ (word >> 31);
  }
  /// 0 ... limit - 1; 0 when limit is 0.
  std::uint64_t below(std::uint64_t limit) noexcept {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((Wide{next()} * limit) >> 64);
  }
  /// True once in `n` times; never when n is 0. Draws nothing then, so that a fault that is off
  /// leaves the others' numbers alone.
  bool one_in(std::uint64_t n) noexcept { return n != 0 && below(n) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace pagealloc
