// The only file below pagealloc/ and impl_*/ that makes a system call or calls liburing.
#include <liburing.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "pagealloc/os/host.h"
#include "pagealloc/os/kernel.h"

namespace pagealloc::os {

std::uint64_t CallCounts::total() const {
  std::uint64_t sum = 0;
  for (std::uint64_t count : of) sum += count;
  return sum;
}

namespace {

// --- Counting -----------------------------------------------------------------------------------
// Threads count in different cache lines, because one shared counter was a measurable part of a
// warm one-microsecond read with 32 threads. Rejected: a block for each thread, folded into a sum
// when the thread ends, which saves the locked instruction, but its destructor makes a thread's
// first call allocate, and nothing may allocate after open().

struct alignas(64) CallSlot {
  std::array<std::atomic<std::uint64_t>, call_kinds> of{};
};

constinit std::array<CallSlot, 64> call_slots{};
constinit std::atomic<unsigned> next_slot{0};

void count(Call call) noexcept {
  thread_local const unsigned slot = next_slot.fetch_add(1, std::memory_order_relaxed);
  call_slots[slot % call_slots.size()].of[static_cast<std::size_t>(call)].fetch_add(
      1, std::memory_order_relaxed);
}

template <typename T>
T or_errno(T result) noexcept {
  return result < 0 ? static_cast<T>(-errno) : result;
}

// --- SIGBUS -------------------------------------------------------------------------------------
// A mapped page that lies beyond the end of the file, or that the disk cannot deliver, raises
// SIGBUS in whoever touches it. Everything here is async-signal-safe: fixed storage, atomics, mmap.
// Rejected: sigsetjmp around each access (a cost per read, and it cannot cover a frame that was
// lent), and userfaultfd (needs a thread, and privileges on many systems).

struct GuardedRange {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};  // 0: the slot is free
  std::atomic<MapFaults*> faults{nullptr};
};

constexpr std::size_t guarded_ranges_max = 256;
constinit std::array<GuardedRange, guarded_ranges_max> guarded_ranges{};
constinit struct sigaction previous_action{};
constinit std::mutex guard_mutex;  // for changing the table; the handler only reads it

void pass_on(int signal_number, siginfo_t* info, void* context) {
  if ((previous_action.sa_flags & SA_SIGINFO) != 0 && previous_action.sa_sigaction != nullptr) {
    previous_action.sa_sigaction(signal_number, info, context);
    return;
  }
  if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
    previous_action.sa_handler(signal_number);
    return;
  }
  signal(signal_number, SIG_DFL);  // returning repeats the access, which now ends the process
}

void on_sigbus(int signal_number, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (GuardedRange& range : guarded_ranges) {
    const std::uintptr_t end = range.end.load(std::memory_order_acquire);
    const std::uintptr_t begin = range.begin.load(std::memory_order_acquire);
    if (address >= end || address < begin) continue;
    // Counted first: once the zeros are there, another thread may read them without a fault.
    if (MapFaults* faults = range.faults.load(std::memory_order_acquire)) {
      if (faults->count.load(std::memory_order_relaxed) == 0) {
        faults->offset_bytes.store(address - begin, std::memory_order_relaxed);
      }
      faults->count.fetch_add(1, std::memory_order_release);
    }
    const auto page_bytes = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    void* page = reinterpret_cast<void*>(address & ~(page_bytes - 1));
    void* zeros = mmap(page, page_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (zeros == MAP_FAILED) {
      // Each page of zeros splits the map, and there is a limit to pieces (vm.max_map_count). The
      // file has failed for good, so the rest of it may be zeros in one piece.
      zeros = mmap(page, end - reinterpret_cast<std::uintptr_t>(page), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    }
    if (zeros == MAP_FAILED) break;
    errno = saved_errno;
    return;
  }
  errno = saved_errno;
  pass_on(signal_number, info, context);
}

void install_sigbus_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action{};
    action.sa_sigaction = on_sigbus;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &previous_action);
  });
}

// --- Rings --------------------------------------------------------------------------------------

class LinuxRing final : public Ring {
 public:
  LinuxRing() = default;
  ~LinuxRing() override {
    if (!set_up_) return;
    // The kernel takes a ring apart after the call has returned, and until it lets go of the file
    // its file system cannot be unmounted. Fails when no file was registered.
    (void)io_uring_unregister_files(&ring_);
    io_uring_queue_exit(&ring_);
  }

  int set_up(unsigned entries, unsigned flags) noexcept {
    count(Call::io_uring_setup);
    const int result = io_uring_queue_init(entries, &ring_, flags | IORING_SETUP_R_DISABLED);
    set_up_ = result == 0;
    return result;
  }
  int register_buffers(std::span<const iovec> buffers) noexcept override {
    count(Call::io_uring_register);
    return io_uring_register_buffers(&ring_, buffers.data(), static_cast<unsigned>(buffers.size()));
  }
  int register_files(std::span<const int> files) noexcept override {
    count(Call::io_uring_register);
    return io_uring_register_files(&ring_, files.data(), static_cast<unsigned>(files.size()));
  }
  int enable() noexcept override {
    count(Call::io_uring_register);
    // liburing 2.3 declares io_uring_enable_rings and does not export it.
    const long enabled =
        syscall(__NR_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    // Rejected: registering the ring's own descriptor, which saves a lookup at each enter. It
    // belongs to the thread, so that a handle closed by another one leaked the ring until then.
    return enabled < 0 ? -errno : 0;
  }
  io_uring_sqe* get_sqe() noexcept override {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe != nullptr) *sqe = {};
    return sqe;
  }
  int enter(unsigned wait_for) noexcept override {
    count(Call::io_uring_enter);
    // With DEFER_TASKRUN completions appear only when their owner asks for events, so even the
    // call that waits for nothing must ask.
    return wait_for == 0 ? io_uring_submit_and_get_events(&ring_)
                         : io_uring_submit_and_wait(&ring_, wait_for);
  }
  unsigned drain(std::span<io_uring_cqe> done) noexcept override {
    unsigned head = 0;
    unsigned drained = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      if (drained == done.size()) break;
      done[drained].user_data = cqe->user_data;
      done[drained].res = cqe->res;
      done[drained].flags = cqe->flags;
      ++drained;
    }
    io_uring_cq_advance(&ring_, drained);
    return drained;
  }

 private:
  io_uring ring_{};
  bool set_up_ = false;
};

// --- Workers ------------------------------------------------------------------------------------

class LinuxWorkers final : public Workers {
 public:
  LinuxWorkers(Background& work, unsigned threads) : work_(work) {
    threads_.reserve(threads);
    try {
      for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
    } catch (...) {  // no more threads: those that did start must be told to end
      stop();
      throw;
    }
    // Until each runs: what a thread allocates while it starts must not come after open().
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return started_ == threads; });
  }
  ~LinuxWorkers() override { stop(); }

  void post(unsigned pieces) noexcept override {
    unsigned wake = 0;
    {
      std::lock_guard lock(mutex_);
      pieces_ += pieces;
      wake = pieces < idle_ ? pieces : idle_;
    }
    for (unsigned i = 0; i < wake; ++i) posted_.notify_one();
  }

  bool help() noexcept override {
    {
      std::lock_guard lock(mutex_);
      if (pieces_ == 0) return false;
      --pieces_;
    }
    work_.step();
    std::lock_guard lock(mutex_);
    ++finished_;
    return true;
  }

  void wait(std::uint64_t pieces) noexcept override {
    std::unique_lock lock(mutex_);
    target_ = pieces;
    done_.wait(lock, [&] { return finished_ >= pieces; });
    target_ = UINT64_MAX;
  }

  void poll() noexcept override {
    if (threads_.empty()) (void)help();
  }

 private:
  void stop() noexcept {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    posted_.notify_all();
  }

  void run() noexcept {
    std::unique_lock lock(mutex_);
    ++started_;
    done_.notify_one();
    while (true) {
      ++idle_;
      posted_.wait(lock, [&] { return pieces_ > 0 || stopping_; });
      --idle_;
      if (pieces_ == 0) return;
      --pieces_;
      lock.unlock();
      work_.step();
      lock.lock();
      if (++finished_ >= target_) done_.notify_one();
    }
  }

  Background& work_;
  std::mutex mutex_;
  std::condition_variable posted_;
  std::condition_variable done_;
  std::uint64_t pieces_ = 0;
  std::uint64_t finished_ = 0;
  std::uint64_t target_ = UINT64_MAX;  // what wait() waits for
  unsigned started_ = 0;
  unsigned idle_ = 0;
  bool stopping_ = false;
  std::vector<std::jthread> threads_;  // last: joined before the rest goes
};

// --- The kernel ---------------------------------------------------------------------------------

class LinuxKernel final : public Kernel {
 public:
  int open(const char* path, int flags, unsigned mode) noexcept override {
    count(Call::open);
    return or_errno(::open(path, flags, mode));
  }
  int close(int fd) noexcept override {
    count(Call::close);
    return or_errno(::close(fd));
  }
  int unlink(const char* path) noexcept override {
    count(Call::unlink);
    return or_errno(::unlink(path));
  }
  std::int64_t readlink(const char* path, char* target, std::size_t bytes) noexcept override {
    count(Call::readlink);
    return or_errno(::readlink(path, target, bytes));
  }
  int statx(int dirfd, const char* path, int flags, unsigned mask,
            struct statx* out) noexcept override {
    count(Call::statx);
    return or_errno(::statx(dirfd, path, flags, mask, out));
  }
  int ioctl(int fd, unsigned long request, void* argument) noexcept override {
    count(Call::ioctl);
    return or_errno(::ioctl(fd, request, argument));
  }
  std::int64_t preadv(int fd, const iovec* iov, int n, std::uint64_t offset) noexcept override {
    count(Call::preadv);
    return or_errno(::preadv64(fd, iov, n, static_cast<off64_t>(offset)));
  }
  std::int64_t pwritev(int fd, const iovec* iov, int n, std::uint64_t offset) noexcept override {
    count(Call::pwritev);
    return or_errno(::pwritev64(fd, iov, n, static_cast<off64_t>(offset)));
  }
  int fdatasync(int fd) noexcept override {
    count(Call::fdatasync);
    return or_errno(::fdatasync(fd));
  }
  int fsync(int fd) noexcept override {
    count(Call::fsync);
    return or_errno(::fsync(fd));
  }
  int syncfs(int fd) noexcept override {
    count(Call::syncfs);
    return or_errno(::syncfs(fd));
  }
  int ftruncate(int fd, std::uint64_t bytes) noexcept override {
    count(Call::ftruncate);
    return or_errno(::ftruncate64(fd, static_cast<off64_t>(bytes)));
  }
  int fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t bytes) noexcept override {
    count(Call::fallocate);
    return or_errno(
        ::fallocate64(fd, mode, static_cast<off64_t>(offset), static_cast<off64_t>(bytes)));
  }
  int fadvise(int fd, std::uint64_t offset, std::uint64_t bytes, int advice) noexcept override {
    count(Call::fadvise);
    return -::posix_fadvise64(fd, static_cast<off64_t>(offset), static_cast<off64_t>(bytes),
                              advice);  // returns the errno itself
  }
  std::expected<void*, int> mmap(void* address, std::size_t bytes, int protection, int flags,
                                 int fd, std::uint64_t offset) noexcept override {
    count(Call::mmap);
    void* result = ::mmap64(address, bytes, protection, flags, fd, static_cast<off64_t>(offset));
    if (result == MAP_FAILED) return std::unexpected(-errno);
    return result;
  }
  int munmap(void* address, std::size_t bytes) noexcept override {
    count(Call::munmap);
    return or_errno(::munmap(address, bytes));
  }
  int madvise(void* address, std::size_t bytes, int advice) noexcept override {
    count(Call::madvise);
    return or_errno(::madvise(address, bytes, advice));
  }
  int msync(void* address, std::size_t bytes, int flags) noexcept override {
    count(Call::msync);
    return or_errno(::msync(address, bytes, flags));
  }

  int guard(void* address, std::size_t bytes, MapFaults* faults) noexcept override {
    install_sigbus_handler();
    std::lock_guard lock(guard_mutex);
    for (GuardedRange& range : guarded_ranges) {
      if (range.end.load(std::memory_order_relaxed) != 0) continue;
      const auto begin = reinterpret_cast<std::uintptr_t>(address);
      range.faults.store(faults, std::memory_order_release);
      range.begin.store(begin, std::memory_order_release);
      range.end.store(begin + bytes, std::memory_order_release);  // last: now the handler sees it
      return 0;
    }
    return -ENOMEM;
  }
  void unguard(void* address) noexcept override {
    std::lock_guard lock(guard_mutex);
    const auto begin = reinterpret_cast<std::uintptr_t>(address);
    for (GuardedRange& range : guarded_ranges) {
      if (range.begin.load(std::memory_order_relaxed) != begin) continue;
      range.end.store(0, std::memory_order_release);  // first: from now on nothing lies in it
      range.begin.store(0, std::memory_order_release);
      range.faults.store(nullptr, std::memory_order_release);
    }
  }

  std::expected<std::unique_ptr<Ring>, int> io_uring_setup(unsigned entries,
                                                           unsigned flags) noexcept override {
    std::unique_ptr<LinuxRing> ring(new (std::nothrow) LinuxRing);
    if (ring == nullptr) return std::unexpected(-ENOMEM);
    if (const int result = ring->set_up(entries, flags); result < 0) return std::unexpected(result);
    return ring;
  }
  std::uint64_t memlock_limit_bytes() noexcept override {
    rlimit limit{};
    if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0) return 0;
    return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
  }

  std::unique_ptr<Workers> start(Background& work, unsigned threads) noexcept override {
    try {
      return std::make_unique<LinuxWorkers>(work, threads);
    } catch (const std::exception&) {  // std::thread reports "no more threads" by throwing
      return nullptr;
    }
  }

  void wait(const std::atomic<std::uint32_t>& word, std::uint32_t value) noexcept override {
    word.wait(value);
  }
  void wake_all(std::atomic<std::uint32_t>& word) noexcept override { word.notify_all(); }
  std::uint64_t now_ns() noexcept override {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::steady_clock::now().time_since_epoch())
                                          .count());
  }

  CallCounts calls() const noexcept override {
    CallCounts sum;
    for (const CallSlot& slot : call_slots) {
      for (std::size_t i = 0; i < call_kinds; ++i) {
        sum.of[i] += slot.of[i].load(std::memory_order_relaxed);
      }
    }
    return sum;
  }
};

}  // namespace

Kernel& linux_kernel() {
  static LinuxKernel kernel;
  return kernel;
}

int rename(const char* from, const char* to) noexcept {
  return ::rename(from, to) < 0 ? -errno : 0;
}

int fchmod(int fd, unsigned mode) noexcept { return ::fchmod(fd, mode) < 0 ? -errno : 0; }

int flock(int fd, int operation) noexcept { return ::flock(fd, operation) < 0 ? -errno : 0; }

}  // namespace pagealloc::os
