// Does a file have holes? A store into one needs space that a full disk does not have.
#pragma once

#include <cstdint>

#include "pagealloc/os/kernel.h"

namespace pagealloc {

/// Is some byte of the first `bytes` not allocated? Asks the file system for its extents (FIEMAP,
/// Documentation/filesystems/fiemap.rst); false where it does not tell, or fails. Counting blocks,
/// as stat does, is not enough: what is allocated behind the end, or for the file system's own
/// use, hides a hole. SEEK_HOLE would take space that is reserved and not yet written for one.
bool has_holes(os::Kernel& kernel, int fd, std::uint64_t bytes) noexcept;

}  // namespace pagealloc
