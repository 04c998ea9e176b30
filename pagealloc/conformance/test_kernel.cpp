#include "pagealloc/conformance/test_kernel.h"

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

namespace pagealloc::conformance {

using os::Call;

/// Looks at the entries just before they are submitted. One that is to fail becomes a NOP whose
/// completion is given the error.
namespace {

std::size_t length_of(std::span<const iovec> pieces) {
  std::size_t bytes = 0;
  for (const iovec& piece : pieces) bytes += piece.iov_len;
  return bytes;
}

/// The first so many bytes of them.
std::vector<iovec> cut(std::span<const iovec> pieces, std::size_t bytes) {
  std::vector<iovec> some;
  for (const iovec& piece : pieces) {
    if (bytes == 0) break;
    some.push_back({piece.iov_base, std::min(piece.iov_len, bytes)});
    bytes -= some.back().iov_len;
  }
  return some;
}

}  // namespace

class TestRing final : public os::Ring {
 public:
  TestRing(TestKernel& kernel, std::unique_ptr<os::Ring> base)
      : kernel_(kernel), base_(std::move(base)) {}

  int register_buffers(std::span<const iovec> buffers) noexcept override {
    return static_cast<int>(kernel_.answer({.call = Call::io_uring_register},
                                           [&] { return base_->register_buffers(buffers); }));
  }
  int register_files(std::span<const int> files) noexcept override {
    const Uncounted pause;
    return base_->register_files(files);
  }
  int enable() noexcept override { return base_->enable(); }
  io_uring_sqe* get_sqe() noexcept override {
    const Uncounted pause;
    io_uring_sqe* sqe = base_->get_sqe();
    if (sqe != nullptr) filled_.push_back(sqe);
    return sqe;
  }
  int enter(unsigned wait_for) noexcept override {
    const Uncounted pause;
    return static_cast<int>(kernel_.answer({.call = Call::io_uring_enter}, [&] {
      for (io_uring_sqe* sqe : std::exchange(filled_, {})) look_at(*sqe);
      const int entered = base_->enter(wait_for);
      cut_.clear();  // the kernel has its own copies by now (IORING_FEAT_SUBMIT_STABLE)
      return entered;
    }));
  }
  unsigned drain(std::span<io_uring_cqe> done) noexcept override {
    const Uncounted pause;
    const unsigned drained = base_->drain(done);
    for (io_uring_cqe& cqe : done.first(drained)) {
      answer_for(cqe);
      const auto serial = serials_.find(cqe.user_data);
      if (serial != serials_.end()) kernel_.note_result(serial->second, cqe.res);
    }
    return drained;
  }

 private:
  void answer_for(io_uring_cqe& cqe) {
    const auto failed = std::find_if(failed_.begin(), failed_.end(), [&](const auto& entry) {
      return entry.first == cqe.user_data;
    });
    if (failed == failed_.end()) return;
    cqe.res = failed->second;
    failed_.erase(failed);
  }
  void look_at(io_uring_sqe& sqe) {
    Record record{.call = Call::count,
                  .offset = sqe.off,
                  .bytes = sqe.len,
                  .result = Record::unanswered,
                  .entry = true};
    switch (sqe.opcode) {
      case IORING_OP_READV:
      case IORING_OP_WRITEV:
        record.call = sqe.opcode == IORING_OP_READV ? Call::preadv : Call::pwritev;
        record.bytes = length_of(pieces_of(sqe));
        break;
      case IORING_OP_READ:
      case IORING_OP_READ_FIXED:
        record.call = Call::preadv;
        break;
      case IORING_OP_WRITE:
      case IORING_OP_WRITE_FIXED:
        record.call = Call::pwritev;
        break;
      case IORING_OP_FSYNC:
        record.call = Call::fdatasync;
        break;
      case IORING_OP_FALLOCATE:
        record.call = Call::fallocate;
        record.bytes = sqe.addr;
        record.flags = static_cast<int>(sqe.len);
        break;
      default:
        return;
    }
    const auto noted = kernel_.note(record);
    serials_[sqe.user_data] = noted.serial;
    if (noted.answer) {
      failed_.emplace_back(sqe.user_data, static_cast<int>(*noted.answer));
      const std::uint64_t user_data = sqe.user_data;
      sqe = {};
      sqe.opcode = IORING_OP_NOP;
      sqe.user_data = user_data;
    } else if (sqe.opcode == IORING_OP_READV || sqe.opcode == IORING_OP_WRITEV) {
      cut_.push_back(cut(pieces_of(sqe), kernel_.shortened(record.bytes)));
      sqe.addr = reinterpret_cast<std::uintptr_t>(cut_.back().data());
      sqe.len = static_cast<std::uint32_t>(cut_.back().size());
    } else if (record.call == Call::preadv || record.call == Call::pwritev) {
      sqe.len = static_cast<std::uint32_t>(kernel_.shortened(sqe.len));
    }
  }
  static std::span<const iovec> pieces_of(const io_uring_sqe& sqe) {
    return {reinterpret_cast<const iovec*>(sqe.addr), sqe.len};
  }

  TestKernel& kernel_;
  std::deque<std::vector<iovec>> cut_;  // what shortened entries point to
  std::unique_ptr<os::Ring> base_;
  std::vector<io_uring_sqe*> filled_;
  std::vector<std::pair<std::uint64_t, int>> failed_;
  std::map<std::uint64_t, std::uint64_t>
      serials_;  // user_data -> where the entry stands in the log
};

/// Those of the kernel below, which may be made of memory.
class TestWorkers final : public os::Workers, os::Background {
 public:
  TestWorkers(os::Kernel& base, os::Background& work, unsigned threads)
      : work_(work), base_(base.start(*this, threads)) {}
  bool started() const { return base_ != nullptr; }
  void post(unsigned pieces) noexcept override {
    const Uncounted pause;
    base_->post(pieces);
  }
  bool help() noexcept override { return base_->help(); }
  void wait(std::uint64_t pieces) noexcept override {
    const Uncounted pause;
    base_->wait(pieces);
  }
  void poll() noexcept override {
    const Uncounted pause;
    base_->poll();
  }

 private:
  void step() noexcept override { work_.step(); }
  os::Background& work_;
  std::unique_ptr<os::Workers> base_;
};

std::unique_ptr<os::Workers> TestKernel::start(os::Background& work, unsigned threads) noexcept {
  auto workers = std::make_unique<TestWorkers>(base_, work, threads);
  return workers->started() ? std::move(workers) : nullptr;
}

std::vector<Record> TestKernel::log() const {
  std::lock_guard lock(mutex_);
  return log_;
}

void TestKernel::clear_log() {
  std::lock_guard lock(mutex_);
  logged_before_ += log_.size();
  log_.clear();
  std::erase_if(guards_, [](const Guard& guard) { return guard.ended.has_value(); });
}

std::vector<Guard> TestKernel::guards() const {
  std::lock_guard lock(mutex_);
  return guards_;
}

std::size_t TestKernel::count(Call call) const {
  std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(log_.begin(), log_.end(), [&](const Record& r) { return r.call == call; }));
}

void TestKernel::answer_next(Call call, std::int64_t answer, unsigned skip) {
  std::lock_guard lock(mutex_);
  plans_.push_back({call, answer, {}, skip});
}

void TestKernel::before_next(Call call, std::function<void()> what, unsigned skip) {
  std::lock_guard lock(mutex_);
  plans_.push_back({call, {}, std::move(what), skip});
}

void TestKernel::set_call_limit(std::size_t calls, std::function<void()> what) {
  std::lock_guard lock(mutex_);
  call_limit_ = calls;
  at_call_limit_ = std::move(what);
}

void TestKernel::hold_reads(bool on) {
  hold_reads_ = on;
  hold_reads_.notify_all();
}

TestKernel::Noted TestKernel::note(Record record) {
  std::unique_lock lock(mutex_);
  if (log_.size() >= call_limit_) {
    lock.unlock();
    at_call_limit_();
    lock.lock();
  }
  const Call call = record.call;
  log_.push_back(std::move(record));
  Noted noted{logged_before_ + log_.size() - 1, {}};
  const auto plan =
      std::find_if(plans_.begin(), plans_.end(), [&](const Plan& p) { return p.call == call; });
  if (plan == plans_.end()) return noted;
  if (plan->skip > 0) {
    --plan->skip;
    return noted;
  }
  noted.answer = plan->answer;
  const std::function<void()> before = std::move(plan->before);
  plans_.erase(plan);
  lock.unlock();
  if (before) before();
  return noted;
}

void TestKernel::note_result(std::uint64_t serial, std::int64_t result) {
  std::lock_guard lock(mutex_);
  if (serial >= logged_before_) log_[serial - logged_before_].result = result;
}

std::size_t TestKernel::shortened(std::size_t bytes) const {
  const std::size_t unit = short_unit_bytes_;
  return unit == 0 || bytes <= unit ? bytes : std::max(bytes / 2 / unit, std::size_t{1}) * unit;
}

int TestKernel::open(const char* path, int flags, unsigned mode) noexcept {
  const Uncounted pause;
  return static_cast<int>(answer({.call = Call::open, .flags = flags, .path = path},
                                 [&] { return base_.open(path, flags, mode); }));
}

int TestKernel::close(int fd) noexcept {
  const Uncounted pause;
  if (!log_all_) return base_.close(fd);
  return static_cast<int>(answer({.call = Call::close, .fd = fd}, [&] { return base_.close(fd); }));
}

std::int64_t TestKernel::preadv(int fd, const iovec* iov, int n, std::uint64_t offset) noexcept {
  const Uncounted pause;
  const std::span<const iovec> pieces(iov, static_cast<std::size_t>(n));
  const std::size_t bytes = length_of(pieces);
  return answer({.call = Call::preadv, .fd = fd, .offset = offset, .bytes = bytes}, [&] {
    hold_reads_.wait(true);
    const auto some = cut(pieces, shortened(bytes));
    return base_.preadv(fd, some.data(), static_cast<int>(some.size()), offset);
  });
}

std::int64_t TestKernel::pwritev(int fd, const iovec* iov, int n, std::uint64_t offset) noexcept {
  const Uncounted pause;
  const std::span<const iovec> pieces(iov, static_cast<std::size_t>(n));
  const std::size_t bytes = length_of(pieces);
  return answer({.call = Call::pwritev, .fd = fd, .offset = offset, .bytes = bytes}, [&] {
    const auto some = cut(pieces, shortened(bytes));
    return base_.pwritev(fd, some.data(), static_cast<int>(some.size()), offset);
  });
}

void TestKernel::enter_sync() {
  const unsigned inside = ++syncs_inside_;
  for (unsigned most = syncs_at_once_; inside > most;) {
    if (syncs_at_once_.compare_exchange_weak(most, inside)) break;
  }
  // Long enough for another to come, who will wait if he must. No longer: on a busy machine each
  // turn is somebody's whole time slice.
  constexpr int turns_max = 50;
  for (int turn = 0; slow_syncs_ && turn < turns_max && waiting_ == 0; ++turn) {
    std::this_thread::yield();
  }
  constexpr int held_turns_max = 2'000'000;  // half a second and more
  for (int turn = 0; turn < held_turns_max && syncs_inside_ - 1 + waiting_ < held_for_; ++turn) {
    std::this_thread::yield();
  }
}

int TestKernel::fdatasync(int fd) noexcept {
  const Uncounted pause;
  enter_sync();
  const std::int64_t result =
      answer({.call = Call::fdatasync, .fd = fd}, [&] { return base_.fdatasync(fd); });
  --syncs_inside_;
  return static_cast<int>(result);
}

int TestKernel::fsync(int fd) noexcept {
  const Uncounted pause;
  return static_cast<int>(answer({.call = Call::fsync, .fd = fd}, [&] { return base_.fsync(fd); }));
}

int TestKernel::syncfs(int fd) noexcept {
  const Uncounted pause;
  return static_cast<int>(
      answer({.call = Call::syncfs, .fd = fd}, [&] { return base_.syncfs(fd); }));
}

int TestKernel::statx(int dirfd, const char* path, int flags, unsigned mask,
                      struct statx* out) noexcept {
  const Uncounted pause;
  const auto ask = [&] {
    const int result = base_.statx(dirfd, path, flags, mask, out);
    if (result == 0 && pretended_bytes_ != 0) out->stx_size = pretended_bytes_;
    if (result == 0 && told_) {
      if (!tells_alignment_) out->stx_mask &= ~unsigned{STATX_DIOALIGN};
      out->stx_dio_mem_align = told_->memory_bytes;
      out->stx_dio_offset_align = told_->offset_bytes;
    }
    return result;
  };
  if (!log_all_) return ask();
  return static_cast<int>(answer(
      {.call = Call::statx, .fd = dirfd, .flags = static_cast<int>(mask), .path = path}, ask));
}

int TestKernel::ftruncate(int fd, std::uint64_t bytes) noexcept {
  const Uncounted pause;
  return static_cast<int>(answer({.call = Call::ftruncate, .fd = fd, .bytes = bytes},
                                 [&] { return base_.ftruncate(fd, bytes); }));
}

int TestKernel::fadvise(int fd, std::uint64_t offset, std::uint64_t bytes, int advice) noexcept {
  const Uncounted pause;
  return static_cast<int>(
      answer({.call = Call::fadvise, .fd = fd, .offset = offset, .bytes = bytes},
             [&] { return base_.fadvise(fd, offset, bytes, advice); }));
}

int TestKernel::fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t bytes) noexcept {
  const Uncounted pause;
  return static_cast<int>(
      answer({.call = Call::fallocate, .fd = fd, .offset = offset, .bytes = bytes, .flags = mode},
             [&] { return base_.fallocate(fd, mode, offset, bytes); }));
}

int TestKernel::msync(void* address, std::size_t bytes, int flags) noexcept {
  const Uncounted pause;
  enter_sync();
  Record record{.call = Call::msync, .bytes = bytes, .flags = flags};
  record.address = static_cast<std::byte*>(address);
  const std::int64_t result =
      answer(std::move(record), [&] { return base_.msync(address, bytes, flags); });
  --syncs_inside_;
  return static_cast<int>(result);
}

std::expected<void*, int> TestKernel::mmap(void* address, std::size_t bytes, int protection,
                                           int flags, int fd, std::uint64_t offset) noexcept {
  const Uncounted pause;
  Record record{.call = Call::mmap, .fd = fd, .offset = offset, .bytes = bytes, .flags = flags};
  record.protection = protection;
  const Noted noted = note(record);
  auto map = noted.answer ? std::unexpected(static_cast<int>(*noted.answer))
                          : base_.mmap(address, bytes, protection, flags, fd, offset);
  note_result(noted.serial, map ? 0 : map.error());
  if (!map) return map;
  record.address = static_cast<std::byte*>(*map);
  {
    std::lock_guard lock(mutex_);
    if (noted.serial >= logged_before_) {
      log_[noted.serial - logged_before_].address = record.address;
    }
  }
  if (at_map_ && (flags & MAP_ANONYMOUS) == 0) at_map_(record);
  return map;
}

int TestKernel::munmap(void* address, std::size_t bytes) noexcept {
  const Uncounted pause;
  Record record{.call = Call::munmap, .bytes = bytes};
  record.address = static_cast<std::byte*>(address);
  return static_cast<int>(answer(std::move(record), [&] { return base_.munmap(address, bytes); }));
}

int TestKernel::madvise(void* address, std::size_t bytes, int advice) noexcept {
  const Uncounted pause;
  Record record{.call = Call::madvise, .bytes = bytes, .flags = advice};
  record.address = static_cast<std::byte*>(address);
  return static_cast<int>(
      answer(std::move(record), [&] { return base_.madvise(address, bytes, advice); }));
}

int TestKernel::guard(void* address, std::size_t bytes, os::MapFaults* faults) noexcept {
  const Uncounted pause;
  const int result = base_.guard(address, bytes, faults);
  std::lock_guard lock(mutex_);
  if (result == 0) guards_.push_back({static_cast<std::byte*>(address), bytes, faults});
  return result;
}

void TestKernel::unguard(void* address) noexcept {
  const Uncounted pause;
  base_.unguard(address);
  std::lock_guard lock(mutex_);
  for (Guard& guard : guards_) {
    if (guard.address == address && !guard.ended) guard.ended = log_.size();
  }
}

std::expected<std::unique_ptr<os::Ring>, int> TestKernel::io_uring_setup(unsigned entries,
                                                                         unsigned flags) noexcept {
  const Uncounted pause;
  const Noted noted = note({.call = Call::io_uring_setup, .flags = static_cast<int>(flags)});
  if (noted.answer) return std::unexpected(static_cast<int>(*noted.answer));
  auto ring = base_.io_uring_setup(entries, flags);
  if (!ring) return std::unexpected(ring.error());
  return std::make_unique<TestRing>(*this, std::move(*ring));
}

}  // namespace pagealloc::conformance
