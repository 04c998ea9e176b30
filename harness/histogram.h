// Latencies, counted in buckets whose width grows with the value: steps of 1.6 % from
// nanoseconds to minutes, in a fixed array. (The idea of HdrHistogram, which is not packaged.)
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace pagealloc::harness {

class Histogram {
 public:
  void add(std::uint64_t latency_ns) noexcept {
    ++counts_[bucket_of(latency_ns)];
    ++total_;
    sum_ns_ += latency_ns;
  }
  void merge(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < buckets; ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    sum_ns_ += other.sum_ns_;
  }
  std::uint64_t total() const noexcept { return total_; }
  /// Of the latencies themselves, not of their buckets; 0 when there are none.
  double mean_ns() const noexcept {
    return total_ == 0 ? 0 : static_cast<double>(sum_ns_) / static_cast<double>(total_);
  }

  /// The smallest latency that `share` (0 ... 1) of all do not exceed; 0 when there are none.
  std::uint64_t percentile(double share) const noexcept {
    if (total_ == 0) return 0;
    const double wanted = share * static_cast<double>(total_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets; ++i) {
      seen += counts_[i];
      if (seen > 0 && static_cast<double>(seen) >= wanted) return upper_of(i);
    }
    return upper_of(buckets - 1);
  }

  template <typename Visit>  // visit(upper_ns, count), ascending, empty buckets left out
  void each(Visit visit) const {
    for (std::size_t i = 0; i < buckets; ++i) {
      if (counts_[i] != 0) visit(upper_of(i), counts_[i]);
    }
  }

 private:
  // 64 buckets for each power of two. Example: 1000 ns has its highest bit at 512, the six bits
  // below it say 61, so it shares a bucket with 1000 ... 1007.
  static constexpr unsigned sub_bits = 6;
  static constexpr std::size_t sub = 1U << sub_bits;
  static constexpr std::size_t powers = 40;
  static constexpr std::size_t buckets = powers * sub;

  static std::size_t bucket_of(std::uint64_t value) noexcept {
    if (value < sub) return static_cast<std::size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - 1 - sub_bits;
    const std::size_t bucket = (shift + 1) * sub + ((value >> shift) & (sub - 1));
    return bucket < buckets ? bucket : buckets - 1;
  }
  static std::uint64_t upper_of(std::size_t bucket) noexcept {
    if (bucket < sub) return bucket;
    const std::size_t shift = bucket / sub - 1;
    return ((sub + bucket % sub + 1) << shift) - 1;
  }

  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t sum_ns_ = 0;
};

}  // namespace pagealloc::harness
