// Operations carried out on the spot by the blocking calls: preadv, pwritev, fdatasync, fallocate.
#pragma once

#include "pagealloc/shared_file.h"

namespace pagealloc::blocking {

/// What came of an operation: Errc::ok, or the reason and the errno behind it.
struct Outcome {
  Errc result = Errc::ok;
  int os_error = 0;
};

/// Tells the kernel how the file will be read through the page cache by way of this descriptor:
/// each open file description has its own readahead (posix_fadvise(2)). Advice only.
void advise(SharedFile& file, int fd) noexcept;

/// Moves op.run pages from the file to op.frame. Short transfers and EINTR are retried; the end of
/// the file before the last byte is `truncated` (clause 10). Thread safe.
Outcome read(SharedFile& file, const Op& op) noexcept;
/// Moves op.run pages from op.frame to the file; in a file with holes the space is allocated
/// first, so that a full disk is `disk_full` and nothing has changed (clause 11). Thread safe.
Outcome write(SharedFile& file, const Op& op) noexcept;
/// Allocates the operation's range if the file may have holes there. Thread safe.
Outcome fill_holes(SharedFile& file, const Op& op) noexcept;
/// fdatasync: covers length and allocation, all that is needed to read the bytes back. Thread safe.
Outcome sync(SharedFile& file) noexcept;
/// Frees the blocks of the range and keeps the length. Thread safe.
Outcome punch(SharedFile& file, const Op& op) noexcept;

/// Asks the kernel to begin reading the operation's range into the page cache. Thread safe.
Outcome prefetch(SharedFile& file, const Op& op) noexcept;

/// Whichever of the five op.verb asks for. Thread safe.
Outcome execute(SharedFile& file, const Op& op) noexcept;

}  // namespace pagealloc::blocking
