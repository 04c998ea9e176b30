// Medians, paired ratios and their intervals.
#pragma once

#include <optional>
#include <vector>

namespace pagealloc::harness {

/// 0 for an empty series.
double median(std::vector<double> values);

struct Ratio {
  double median = 0;
  double low = 0;  ///< 95 % interval of the geometric mean
  double high = 0;
  std::size_t pairs = 0;
};

/// Of ours[i] / theirs[i], measured one after the other. The interval is Student's t on the
/// logarithms: a ratio of 2 and one of 1/2 lie equally far from 1. Nothing for fewer than 2 pairs.
std::optional<Ratio> paired_ratio(const std::vector<double>& ours,
                                  const std::vector<double>& theirs);

/// True when the sorted series has one gap that splits it into two groups of at least two, whose
/// medians are over 20 % apart while each group keeps together: a median would say nothing.
bool bimodal(std::vector<double> values);

}  // namespace pagealloc::harness
