// Claim: cold random reads, one at a time, through the page cache.
#include "labs/00_measure/lies/lies.h"

namespace pagealloc::labs::measure {

Result<Report> a(Bench& bench) {
  auto file = filled_file(bench, bench.options("pread"));
  if (!file) return std::unexpected(file.error());
  Report report;
  bench.start();
  const auto read = read_each(
      bench, **file, 1, [&](PageId, auto bytes, std::uint64_t) { report.sum += sum_of(bytes); });
  bench.stop();
  if (!read) return std::unexpected(read.error());
  return report;
}

}  // namespace pagealloc::labs::measure
