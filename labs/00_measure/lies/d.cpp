// Claim: a ring with 32 reads at a time, past the page cache, is so much faster than pread from a
// cold page cache.
#include <fcntl.h>

#include "labs/00_measure/lies/lies.h"

namespace pagealloc::labs::measure {

Result<Report> d(Bench& bench) {
  {
    const auto file = filled_file(bench, bench.options("pread"));
    if (!file) return std::unexpected(file.error());
  }
  const auto drop = [&] {
    const int fd = bench.kernel().open(bench.path().c_str(), O_RDONLY | O_CLOEXEC, 0);
    (void)bench.kernel().fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    (void)bench.kernel().close(fd);
  };
  drop();
  const auto one = read_side(bench, "pread", bench.options("pread"), 1);
  if (!one) return std::unexpected(one.error());
  drop();
  const auto other = read_side(bench, "ring", bench.options("uring"), 32);
  if (!other) return std::unexpected(other.error());
  return Report{.sum = *one + *other};
}

}  // namespace pagealloc::labs::measure
