// How to open a page file. Every field has a default that suits a small program.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pagealloc/os/kernel.h"

namespace pagealloc {

enum class Access : std::uint8_t {
  normal,
  random,
  sequential
};  ///< advice about the reads to come
enum class Direct : std::uint8_t {
  off,      ///< through the page cache
  attempt,  ///< O_DIRECT if the file system takes it; Geometry::direct says what was got
  require,  ///< O_DIRECT or not_available
};
enum class WritePath : std::uint8_t {
  pwrite,  ///< private frame, then pwrite: stores never touch the map
  map,     ///< stores into the map itself, made durable by msync
};

/// Which page of a cache makes room for the next one (cache/replacement.h).
enum class Eviction : std::uint8_t { clock, lru, s3_fifo, two_q };

/// A cache of the file's own, in place of the kernel's: for direct and uring. With registered
/// buffers each handle of uring pins all of it, which RLIMIT_MEMLOCK counts each time.
struct CacheOptions {
  std::uint64_t bytes = 0;  ///< of frames, shared by all handles; 0: no cache
  Eviction eviction = Eviction::s3_fifo;
  std::uint32_t readahead_bytes = 2U << 20;  ///< the farthest; 0: none
  std::uint32_t cluster_bytes = 0;  ///< a miss reads its neighbours too, up to this; 0: none
};

/// More operations than Options::depth that a cache may have under way.
inline constexpr std::uint32_t cache_transfers_max = 64;

inline constexpr std::uint32_t page_bytes_min = 512;
inline constexpr std::uint32_t page_bytes_max = 65536;

struct Options {
  std::string impl = "pread";       ///< pread, mmap, direct or uring
  std::uint32_t page_bytes = 4096;  ///< 512 ... 65536, a power of two
  bool create = false;              ///< make the file if it is not there
  bool read_only = false;
  bool write_through = false;  ///< O_DSYNC: a reaped write is durable without a sync
  /// Make the file's existence durable and sync before trusting what is read (clause 12). False is
  /// for scratch files only, whose loss does not matter.
  bool sync_at_open = true;
  Access access = Access::normal;
  std::optional<Direct> direct =
      {};                    ///< unset: off for pread and mmap, require for direct and uring
  std::uint32_t depth = 32;  ///< operations in flight before submit() pushes back
  std::uint32_t frames = 0;  ///< frames of this handle; 0: twice the depth, at least 16

  /// pread only: threads that execute operations, the one that waits in reap() among them. 0: each
  /// operation is executed inside submit().
  std::uint32_t threads = 0;
  WritePath write_path = WritePath::pwrite;  ///< mmap only
  /// mmap only: address space reserved, so that growth never moves what is lent. 0: 64 GiB, or
  /// twice the file, whichever is more.
  std::uint64_t map_reserve_bytes = 0;
  /// uring only: pin the frames once, at open. Needs RLIMIT_MEMLOCK >= frames * page_bytes.
  bool registered_buffers = true;
  CacheOptions cache = {};  ///< direct and uring only

  os::Kernel* kernel = nullptr;  ///< nullptr: the Linux that runs this process
};

}  // namespace pagealloc
