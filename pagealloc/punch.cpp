// Giving the blocks of pages back, and getting them again before a page is written.
#include <linux/falloc.h>

#include <cerrno>

#include "pagealloc/blocking.h"
#include "pagealloc/uninterrupted.h"

namespace pagealloc::blocking {

Outcome punch(SharedFile& file, const Op& op) noexcept {
  // LAB:BEGIN 8 blocking::punch(file, op)
  file.mark_sparse();  // first: a write that follows must not miss it
  constexpr int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  const int result = uninterrupted([&] {
    return file.kernel().fallocate(file.fd(), mode, file.offset_of(op.page), file.bytes_of(op));
  });
  if (result == 0) return {};
  return {result == -EOPNOTSUPP ? Errc::not_available : errc_of_io(-result), -result};
  // LAB:END
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
