// Claim: random reads of a file, one at a time, past the page cache.
#include <fcntl.h>

#include "labs/00_measure/lies/lies.h"

namespace pagealloc::labs::measure {

Result<Report> c(Bench& bench) {
  const Options options = bench.options("direct");
  const int fd = bench.kernel().open(bench.path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const int made = bench.kernel().ftruncate(fd, bench.pages() * page_bytes);
  (void)bench.kernel().close(fd);
  if (made < 0) return std::unexpected(Error{.code = Errc::io, .os_error = -made});
  auto file = open(bench.path(), options);
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
