// The door to the kernel: every system call that page files need, one virtual function each.
//
// Same names, same arguments and same errno as the man pages, with one change of convention: a
// failed call returns -errno instead of setting a global. `os/linux.cpp` passes the calls on and is
// the only file below pagealloc/ and impl_*/ that makes one; a kernel for tests stands in the same
// place and needs no change above it. Nothing here retries, hides or interprets: short transfers
// and EINTR reach the caller, because handling them is the implementations' task.
#pragma once

#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/stat.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>

namespace pagealloc::os {

/// What is counted, one slot a kind of call. The order is that of `call_names`.
enum class Call : std::uint8_t {
  open,
  close,
  unlink,
  readlink,
  statx,
  ioctl,
  preadv,
  pwritev,
  fdatasync,
  fsync,
  syncfs,
  ftruncate,
  fallocate,
  fadvise,
  mmap,
  munmap,
  madvise,
  msync,
  io_uring_setup,
  io_uring_register,
  io_uring_enter,
  count
};

inline constexpr std::size_t call_kinds = static_cast<std::size_t>(Call::count);
inline constexpr std::array<const char*, call_kinds> call_names = {
    "open",          "close",     "unlink",    "readlink",       "statx",
    "ioctl",         "preadv",    "pwritev",   "fdatasync",      "fsync",
    "syncfs",        "ftruncate", "fallocate", "fadvise",        "mmap",
    "munmap",        "madvise",   "msync",     "io_uring_setup", "io_uring_register",
    "io_uring_enter"};

/// Calls made so far, by kind. Subtract two to learn what happened in between.
struct CallCounts {
  std::array<std::uint64_t, call_kinds> of{};
  std::uint64_t operator[](Call call) const { return of[static_cast<std::size_t>(call)]; }
  std::uint64_t total() const;
};

/// One io_uring. Belongs to the thread that first calls enable(); not thread safe. (io_uring(7))
class Ring {
 public:
  virtual ~Ring() = default;
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// Pins `buffers` so that READ_FIXED and WRITE_FIXED skip the pinning per operation. 0 or -errno
  /// (ENOMEM: RLIMIT_MEMLOCK).
  virtual int register_buffers(std::span<const iovec> buffers) noexcept = 0;
  /// Makes `files` addressable by index with IOSQE_FIXED_FILE. 0 or -errno.
  virtual int register_files(std::span<const int> files) noexcept = 0;
  /// Starts a ring that was set up disabled and binds it to the calling thread. 0 or -errno.
  virtual int enable() noexcept = 0;
  /// The next free submission entry, zeroed; nullptr when the queue is full. No system call.
  virtual io_uring_sqe* get_sqe() noexcept = 0;
  /// Submits every entry handed out so far and waits for `wait_for` completions, in one
  /// io_uring_enter. Number submitted, or -errno.
  virtual int enter(unsigned wait_for) noexcept = 0;
  /// Copies up to done.size() completions out and frees their places. No system call.
  virtual unsigned drain(std::span<io_uring_cqe> done) noexcept = 0;
};

/// Work that a thread does in the background, as a state machine: whoever owns the clock calls it.
class Background {
 public:
  virtual ~Background() = default;
  /// Does one piece of posted work, whole. Called by several workers at once.
  virtual void step() noexcept = 0;
};

/// Threads that call Background::step() once for each piece posted. All functions but post() belong
/// to one thread, the owner. Destroying it finishes the pieces already posted, then joins.
class Workers {
 public:
  virtual ~Workers() = default;
  /// Announces `pieces` new pieces of work. Any thread may.
  virtual void post(unsigned pieces) noexcept = 0;
  /// Does one posted piece on the calling thread; false when none is waiting to be done.
  virtual bool help() noexcept = 0;
  /// Blocks until `pieces` pieces, counted from the start, have been done.
  virtual void wait(std::uint64_t pieces) noexcept = 0;
  /// For an owner that asks again and again without waiting: lets the others get on. Does a piece
  /// itself when there are no others.
  virtual void poll() noexcept = 0;
};

/// What guard() saw: pages of a map that could not be had.
struct MapFaults {
  std::atomic<std::uint32_t> count{0};
  /// Where in the guarded range one of the first of them was; of no meaning while count is 0.
  std::atomic<std::uint64_t> offset_bytes{0};
};

/// The kernel. All functions are thread safe. Paths are NUL-terminated.
class Kernel {
 public:
  virtual ~Kernel() = default;

  virtual int open(const char* path, int flags, unsigned mode) noexcept = 0;
  virtual int close(int fd) noexcept = 0;
  virtual int unlink(const char* path) noexcept = 0;
  /// The length of what the link holds, cut off at `bytes` and without a NUL.
  virtual std::int64_t readlink(const char* path, char* target, std::size_t bytes) noexcept = 0;
  virtual int statx(int dirfd, const char* path, int flags, unsigned mask,
                    struct statx* out) noexcept = 0;
  virtual int ioctl(int fd, unsigned long request, void* argument) noexcept = 0;
  virtual std::int64_t preadv(int fd, const iovec* iov, int count,
                              std::uint64_t offset) noexcept = 0;
  virtual std::int64_t pwritev(int fd, const iovec* iov, int count,
                               std::uint64_t offset) noexcept = 0;
  virtual int fdatasync(int fd) noexcept = 0;
  virtual int fsync(int fd) noexcept = 0;
  virtual int syncfs(int fd) noexcept = 0;
  virtual int ftruncate(int fd, std::uint64_t bytes) noexcept = 0;
  virtual int fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t bytes) noexcept = 0;
  virtual int fadvise(int fd, std::uint64_t offset, std::uint64_t bytes, int advice) noexcept = 0;

  /// The address, or -errno.
  virtual std::expected<void*, int> mmap(void* address, std::size_t bytes, int protection,
                                         int flags, int fd, std::uint64_t offset) noexcept = 0;
  virtual int munmap(void* address, std::size_t bytes) noexcept = 0;
  virtual int madvise(void* address, std::size_t bytes, int advice) noexcept = 0;
  virtual int msync(void* address, std::size_t bytes, int flags) noexcept = 0;

  /// From now on a SIGBUS inside [address, address + bytes) does not end the process: the page
  /// that cannot be had is replaced by zeros and counted. Other SIGBUS go on to whatever handler
  /// there was. 0, or -ENOMEM when too many ranges are guarded.
  virtual int guard(void* address, std::size_t bytes, MapFaults* faults) noexcept = 0;
  /// Ends guard(); call it before munmap.
  virtual void unguard(void* address) noexcept = 0;

  /// A ring with at least `entries` places, set up disabled (IORING_SETUP_R_DISABLED is added to
  /// `flags`) so that the thread that will use it can enable it. The ring, or -errno.
  virtual std::expected<std::unique_ptr<Ring>, int> io_uring_setup(unsigned entries,
                                                                   unsigned flags) noexcept = 0;
  /// The soft limit RLIMIT_MEMLOCK in bytes (UINT64_MAX: none), for messages.
  virtual std::uint64_t memlock_limit_bytes() noexcept = 0;

  /// `threads` workers that call `work.step()`. nullptr when no thread can be had.
  virtual std::unique_ptr<Workers> start(Background& work, unsigned threads) noexcept = 0;

  /// Blocks while `word` has this value; may return before it changes (futex(2)).
  virtual void wait(const std::atomic<std::uint32_t>& word, std::uint32_t value) noexcept = 0;
  /// Wakes all who wait for `word`, which has been changed.
  virtual void wake_all(std::atomic<std::uint32_t>& word) noexcept = 0;
  /// The monotonic clock.
  virtual std::uint64_t now_ns() noexcept = 0;

  /// Calls made by all threads of this process through this kernel.
  virtual CallCounts calls() const noexcept = 0;
};

/// The Linux that this process runs on. One object for the life of the process.
Kernel& linux_kernel();

}  // namespace pagealloc::os
