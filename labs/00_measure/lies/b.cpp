// Claim: a random read of this file, of which somebody else has just read every other page, takes
// this long.
#include <fcntl.h>

#include "labs/00_measure/lies/lies.h"

namespace pagealloc::labs::measure {

Result<Report> b(Bench& bench) {
  auto file = filled_file(bench, bench.options("pread"));
  if (!file) return std::unexpected(file.error());
  const int fd = bench.kernel().open(bench.path().c_str(), O_RDONLY | O_CLOEXEC, 0);
  (void)bench.kernel().fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  (void)bench.kernel().close(fd);
  for (PageId page = 0; page < bench.pages(); page += 2) {  // somebody else
    if (auto ref = read_page(**file, page); !ref) return std::unexpected(ref.error());
  }
  Report report;
  std::uint64_t all_ns = 0;
  bench.start();
  const auto read = read_each(bench, **file, 1, [&](PageId, auto bytes, std::uint64_t ns) {
    report.sum += sum_of(bytes);
    all_ns += ns;
  });
  bench.stop();
  if (!read) return std::unexpected(read.error());
  report.groups = {{.count = bench.pages(), .median_ns = all_ns / bench.pages()}};
  return report;
}

}  // namespace pagealloc::labs::measure
