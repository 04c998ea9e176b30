// Giving the blocks of pages back, and getting them again before a page is written.
#include <linux/falloc.h>

#include <cerrno>

#include "labs/not_started.h"
#include "pagealloc/blocking.h"
#include "pagealloc/uninterrupted.h"

namespace pagealloc::blocking {

Outcome punch(SharedFile& file, const Op& op) noexcept {
  // Task 8.
  labs::not_started("blocking::punch", file, op);
}

Outcome fill_holes(SharedFile& file, const Op& op) noexcept {
  if (!file.sparse()) return {};
  const int result = uninterrupted([&] {
    return file.kernel().fallocate(file.fd(), 0, file.offset_of(op.page), file.bytes_of(op));
  });
  // A file system that cannot allocate ahead allocates in the write, as it always does.
  if (result == 0 || result == -EOPNOTSUPP) return {};
  return {errc_of_io(-result), -result};
}

}  // namespace pagealloc::blocking
