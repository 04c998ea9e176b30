// Claim: durable writes, each of them durable before the next one begins.
#include "labs/00_measure/lies/lies.h"

namespace pagealloc::labs::measure {

Result<Report> e(Bench& bench) {
  auto file = filled_file(bench, bench.options("pread"));
  if (!file) return std::unexpected(file.error());
  bench.start();
  for (std::uint64_t i = 0; i < bench.pages(); ++i) {
    const PageId page = bench.page_at(i);
    const auto written = write_page(**file, page, bench.content(page));
    if (!written) return std::unexpected(written.error());
    bench.done(page);
  }
  bench.stop();
  return Report{.writes_per_sync = 1};
}

}  // namespace pagealloc::labs::measure
