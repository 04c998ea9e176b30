// A kernel for tests: passes every call on to another one, keeps a log, and fails where told to.
// It stands below the implementations, so what is tested is the code that will run.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pagealloc/conformance/allocation_counter.h"
#include "pagealloc/os/kernel.h"

namespace pagealloc::conformance {

/// One call that was made. An entry of a ring is logged, when it is submitted, as the call it
/// stands for: READ as preadv, FSYNC as fdatasync, FALLOCATE as fallocate.
struct Record {
  static constexpr std::int64_t unanswered = INT64_MIN;
  os::Call call;
  int fd = -1;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  int flags = 0;
  std::string path = {};
  /// What was answered; of an entry of a ring its completion's result, once that has been taken
  /// out.
  std::int64_t result = 0;
  bool entry = false;            ///< of a ring
  std::byte* address = nullptr;  ///< of munmap, madvise, msync, and of a map that was made
  int protection = 0;
};

/// A range that was guarded.
struct Guard {
  std::byte* address;
  std::size_t bytes;
  os::MapFaults* faults;
  std::optional<std::size_t> ended = {};  ///< how many calls the log had then
};

class TestKernel final : public os::Kernel {
 public:
  explicit TestKernel(os::Kernel& base = os::linux_kernel()) : base_(base) {}

  std::vector<Record> log() const;
  void clear_log();
  /// Those that were begun since the log was cleared, or have not ended since.
  std::vector<Guard> guards() const;
  /// Calls of this kind in the log.
  std::size_t count(os::Call call) const;

  /// The next call of this kind, after `skip` that succeed, fails with `os_error` and does nothing;
  /// repeated calls queue up.
  void fail_next(os::Call call, int os_error, unsigned skip = 0) {
    answer_next(call, -os_error, skip);
  }
  /// The same with any answer: a pwritev of 0 bytes, for example.
  void answer_next(os::Call call, std::int64_t answer, unsigned skip = 0);
  /// The next call of this kind, after `skip` others, is carried out after `what`, which may make
  /// calls of its own.
  void before_next(os::Call call, std::function<void()> what, unsigned skip = 0);
  /// `what` is told of each map of a file, before its caller is.
  void set_at_map(std::function<void(const Record&)> what) { at_map_ = std::move(what); }
  /// `what` is called instead of the call that would be the `calls`th in the log.
  void set_call_limit(std::size_t calls, std::function<void()> what);
  /// While not 0, statx says that every file has this length.
  void pretend_length(std::uint64_t bytes) { pretended_bytes_ = bytes; }
  /// While on, close and statx are logged, too, and can be answered for: most tests count what
  /// moves bytes. Of statx the mask is logged as flags.
  void log_all(bool on) { log_all_ = on; }
  /// What statx says of O_DIRECT's alignment, whatever the kernel below asks for.
  struct Alignment {
    std::uint32_t memory_bytes;
    std::uint32_t offset_bytes;
  };
  void tell_alignment(Alignment told) { told_ = told; }
  /// The mask says that statx knows nothing of it, and the fields are 0: as with tmpfs, and with
  /// kernels before 6.1.
  void tell_no_alignment() { told_ = Alignment{}, tells_alignment_ = false; }
  /// While not 0, transfers move about half, a multiple of `unit_bytes`.
  void set_short_transfers(std::size_t unit_bytes) { short_unit_bytes_ = unit_bytes; }
  /// The most calls of fdatasync and msync that were inside at the same time. With `slow_syncs`
  /// each lets the other threads run first, so that those that may come in do.
  void set_slow_syncs(bool on) { slow_syncs_ = on; }
  unsigned syncs_at_once() const { return syncs_at_once_; }
  /// While not 0, a sync that is inside waits until as many other threads are inside too, or wait
  /// for it in wait(): whoever could have come in beside it has. Calls itself off after so many
  /// turns that only threads that wait elsewhere can need more.
  void hold_syncs(unsigned others) { held_for_ = others; }
  /// While set, preadv of pool threads waits. Only for operations executed by workers.
  void hold_reads(bool on);

  int open(const char* path, int flags, unsigned mode) noexcept override;
  int close(int fd) noexcept override;
  int unlink(const char* path) noexcept override {
    const Uncounted pause;
    return base_.unlink(path);
  }
  std::int64_t readlink(const char* path, char* target, std::size_t bytes) noexcept override {
    const Uncounted pause;
    return base_.readlink(path, target, bytes);
  }
  int statx(int dirfd, const char* path, int flags, unsigned mask,
            struct statx* out) noexcept override;
  int ioctl(int fd, unsigned long request, void* argument) noexcept override {
    const Uncounted pause;
    return base_.ioctl(fd, request, argument);
  }
  std::int64_t preadv(int fd, const iovec* iov, int count, std::uint64_t offset) noexcept override;
  std::int64_t pwritev(int fd, const iovec* iov, int count, std::uint64_t offset) noexcept override;
  int fdatasync(int fd) noexcept override;
  int fsync(int fd) noexcept override;
  int syncfs(int fd) noexcept override;
  int ftruncate(int fd, std::uint64_t bytes) noexcept override;
  int fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t bytes) noexcept override;
  int fadvise(int fd, std::uint64_t offset, std::uint64_t bytes, int advice) noexcept override;
  std::expected<void*, int> mmap(void* address, std::size_t bytes, int protection, int flags,
                                 int fd, std::uint64_t offset) noexcept override;
  int munmap(void* address, std::size_t bytes) noexcept override;
  int madvise(void* address, std::size_t bytes, int advice) noexcept override;
  int msync(void* address, std::size_t bytes, int flags) noexcept override;
  int guard(void* address, std::size_t bytes, os::MapFaults* faults) noexcept override;
  void unguard(void* address) noexcept override;
  std::expected<std::unique_ptr<os::Ring>, int> io_uring_setup(unsigned entries,
                                                               unsigned flags) noexcept override;
  std::uint64_t memlock_limit_bytes() noexcept override {
    const Uncounted pause;
    return base_.memlock_limit_bytes();
  }
  std::unique_ptr<os::Workers> start(os::Background& work, unsigned threads) noexcept override;
  void wait(const std::atomic<std::uint32_t>& word, std::uint32_t value) noexcept override {
    const Uncounted pause;
    ++waiting_;
    base_.wait(word, value);
    --waiting_;
  }
  void wake_all(std::atomic<std::uint32_t>& word) noexcept override {
    const Uncounted pause;
    base_.wake_all(word);
  }
  std::uint64_t now_ns() noexcept override {
    const Uncounted pause;
    return base_.now_ns();
  }
  os::CallCounts calls() const noexcept override {
    const Uncounted pause;
    return base_.calls();
  }

 private:
  friend class TestRing;
  struct Plan {
    os::Call call;
    std::optional<std::int64_t> answer;  // nullopt: the call is carried out
    std::function<void()> before;
    unsigned skip;
  };
  struct Noted {
    std::uint64_t serial;
    std::optional<std::int64_t> answer;
  };
  /// Logs the call; says what it is to answer if it is not to be carried out.
  Noted note(Record record);
  void note_result(std::uint64_t serial, std::int64_t result);
  template <typename Carry>
  std::int64_t answer(Record record, Carry carry) {
    const Noted noted = note(std::move(record));
    const std::int64_t result = noted.answer ? *noted.answer : std::int64_t{carry()};
    note_result(noted.serial, result);
    return result;
  }
  std::size_t shortened(std::size_t bytes) const;
  void enter_sync();

  os::Kernel& base_;
  mutable std::mutex mutex_;
  std::vector<Record> log_;
  std::uint64_t logged_before_ = 0;  // and cleared since
  std::deque<Plan> plans_;
  std::vector<Guard> guards_;
  std::function<void(const Record&)> at_map_;
  std::size_t call_limit_ = SIZE_MAX;
  std::function<void()> at_call_limit_;
  std::atomic<std::uint64_t> pretended_bytes_{0};
  std::atomic<bool> log_all_{false};
  std::optional<Alignment> told_;
  bool tells_alignment_ = true;
  std::atomic<std::size_t> short_unit_bytes_{0};
  std::atomic<bool> slow_syncs_{false};
  std::atomic<unsigned> syncs_inside_{0};
  std::atomic<unsigned> waiting_{0};
  std::atomic<unsigned> held_for_{0};
  std::atomic<unsigned> syncs_at_once_{0};
  std::atomic<bool> hold_reads_{false};
};

}  // namespace pagealloc::conformance
