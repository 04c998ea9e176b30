#include "harness/statistics.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace pagealloc::harness {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

namespace {

/// Student's t, two-sided 95 %, by degrees of freedom (from any table of the distribution).
double student_t(std::size_t freedom) {
  constexpr std::array<double, 31> table = {0,     12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365,
                                            2.306, 2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
                                            2.120, 2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069,
                                            2.064, 2.060,  2.056, 2.052, 2.048, 2.045, 2.042};
  return freedom < table.size() ? table[freedom] : 1.96;
}

}  // namespace

std::optional<Ratio> paired_ratio(const std::vector<double>& ours,
                                  const std::vector<double>& theirs) {
  const std::size_t pairs = std::min(ours.size(), theirs.size());
  if (pairs < 2) return std::nullopt;
  std::vector<double> ratios;
  double sum = 0;
  for (std::size_t i = 0; i < pairs; ++i) {
    ratios.push_back(ours[i] / theirs[i]);
    sum += std::log(ratios.back());
  }
  const auto n = static_cast<double>(pairs);
  const double mean = sum / n;
  double squares = 0;
  for (const double ratio : ratios) squares += std::pow(std::log(ratio) - mean, 2);
  const double error = student_t(pairs - 1) * std::sqrt(squares / (n - 1) / n);
  return Ratio{median(ratios), std::exp(mean - error), std::exp(mean + error), pairs};
}

bool bimodal(std::vector<double> values) {
  if (values.size() < 4) return false;
  std::sort(values.begin(), values.end());
  std::size_t split = 2;
  double widest = 0;
  for (std::size_t i = 2; i + 2 <= values.size(); ++i) {
    if (values[i] - values[i - 1] <= widest) continue;
    widest = values[i] - values[i - 1];
    split = i;
  }
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(split);
  const double low = median({values.begin(), middle});
  const double high = median({middle, values.end()});
  const double spread = std::max(values[split - 1] - values.front(), values.back() - values[split]);
  return high > 1.2 * low && widest > spread;
}

}  // namespace pagealloc::harness
