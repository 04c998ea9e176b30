#include "pagealloc/conformance/test_kernel.h"

#include <algorithm>
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
    const int fault = kernel_.note({.call = Call::io_uring_register});
    return fault < 0 ? fault : base_->register_buffers(buffers);
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
    const int fault = kernel_.note({.call = Call::io_uring_enter});
    if (fault < 0) return fault;
    for (io_uring_sqe* sqe : std::exchange(filled_, {})) look_at(*sqe);
    const int entered = base_->enter(wait_for);
    cut_.clear();  // the kernel has its own copies by now (IORING_FEAT_SUBMIT_STABLE)
    return entered;
  }
  unsigned drain(std::span<io_uring_cqe> done) noexcept override {
    const Uncounted pause;
    const unsigned drained = base_->drain(done);
    for (io_uring_cqe& cqe : done.first(drained)) {
      const auto failed = std::find_if(failed_.begin(), failed_.end(), [&](const auto& entry) {
        return entry.first == cqe.user_data;
      });
      if (failed == failed_.end()) continue;
      cqe.res = failed->second;
      failed_.erase(failed);
    }
    return drained;
  }

 private:
  void look_at(io_uring_sqe& sqe) {
    Record record{.call = Call::count, .offset = sqe.off, .bytes = sqe.len};
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
    if (const int fault = kernel_.note(record); fault < 0) {
      failed_.emplace_back(sqe.user_data, fault);
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
  log_.clear();
}

std::size_t TestKernel::count(Call call) const {
  std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(log_.begin(), log_.end(), [&](const Record& r) { return r.call == call; }));
}

void TestKernel::fail_next(Call call, int os_error, unsigned skip) {
  std::lock_guard lock(mutex_);
  faults_.push_back({call, os_error, skip});
}

void TestKernel::hold_reads(bool on) {
  hold_reads_ = on;
  hold_reads_.notify_all();
}

int TestKernel::note(Record record) {
  std::lock_guard lock(mutex_);
  const Call call = record.call;
  log_.push_back(std::move(record));
  const auto fault =
      std::find_if(faults_.begin(), faults_.end(), [&](const Fault& f) { return f.call == call; });
  if (fault == faults_.end()) return 0;
  if (fault->skip > 0) {
    --fault->skip;
    return 0;
  }
  const int result = -fault->os_error;
  faults_.erase(fault);
  return result;
}

std::size_t TestKernel::shortened(std::size_t bytes) const {
  const std::size_t unit = short_unit_bytes_;
  return unit == 0 || bytes <= unit ? bytes : std::max(bytes / 2 / unit, std::size_t{1}) * unit;
}

int TestKernel::open(const char* path, int flags, unsigned mode) noexcept {
  const Uncounted pause;
  const int fault = note({.call = Call::open, .flags = flags, .path = path});
  if (fault < 0) return fault;
  const int fd = base_.open(path, flags, mode);
  std::lock_guard lock(mutex_);
  log_.back().fd = fd;
  return fd;
}

std::int64_t TestKernel::preadv(int fd, const iovec* iov, int n, std::uint64_t offset) noexcept {
  const Uncounted pause;
  const std::span<const iovec> pieces(iov, static_cast<std::size_t>(n));
  const std::size_t bytes = length_of(pieces);
  const int fault = note({.call = Call::preadv, .fd = fd, .offset = offset, .bytes = bytes});
  if (fault < 0) return fault;
  hold_reads_.wait(true);
  const auto some = cut(pieces, shortened(bytes));
  return base_.preadv(fd, some.data(), static_cast<int>(some.size()), offset);
}

std::int64_t TestKernel::pwritev(int fd, const iovec* iov, int n, std::uint64_t offset) noexcept {
  const Uncounted pause;
  const std::span<const iovec> pieces(iov, static_cast<std::size_t>(n));
  const std::size_t bytes = length_of(pieces);
  const int fault = note({.call = Call::pwritev, .fd = fd, .offset = offset, .bytes = bytes});
  if (fault < 0) return fault;
  const auto some = cut(pieces, shortened(bytes));
  return base_.pwritev(fd, some.data(), static_cast<int>(some.size()), offset);
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
}

int TestKernel::fdatasync(int fd) noexcept {
  const Uncounted pause;
  enter_sync();
  const int fault = note({.call = Call::fdatasync, .fd = fd});
  const int result = fault < 0 ? fault : base_.fdatasync(fd);
  --syncs_inside_;
  return result;
}

int TestKernel::fsync(int fd) noexcept {
  const Uncounted pause;
  const int fault = note({.call = Call::fsync, .fd = fd});
  return fault < 0 ? fault : base_.fsync(fd);
}

int TestKernel::syncfs(int fd) noexcept {
  const Uncounted pause;
  const int fault = note({.call = Call::syncfs, .fd = fd});
  return fault < 0 ? fault : base_.syncfs(fd);
}

int TestKernel::statx(int dirfd, const char* path, int flags, unsigned mask,
                      struct statx* out) noexcept {
  const Uncounted pause;
  const int result = base_.statx(dirfd, path, flags, mask, out);
  if (result == 0 && pretended_bytes_ != 0) out->stx_size = pretended_bytes_;
  return result;
}

int TestKernel::ftruncate(int fd, std::uint64_t bytes) noexcept {
  const Uncounted pause;
  const int fault = note({.call = Call::ftruncate, .fd = fd, .bytes = bytes});
  return fault < 0 ? fault : base_.ftruncate(fd, bytes);
}

int TestKernel::fadvise(int fd, std::uint64_t offset, std::uint64_t bytes, int advice) noexcept {
  const Uncounted pause;
  const int fault = note({.call = Call::fadvise, .fd = fd, .offset = offset, .bytes = bytes});
  return fault < 0 ? fault : base_.fadvise(fd, offset, bytes, advice);
}

int TestKernel::fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t bytes) noexcept {
  const Uncounted pause;
  const int fault = note({
      .call = Call::fallocate,
      .fd = fd,
      .offset = offset,
      .bytes = bytes,
      .flags = mode,
  });
  return fault < 0 ? fault : base_.fallocate(fd, mode, offset, bytes);
}

int TestKernel::msync(void* address, std::size_t bytes, int flags) noexcept {
  const Uncounted pause;
  enter_sync();
  const int fault = note({.call = Call::msync, .bytes = bytes, .flags = flags});
  const int result = fault < 0 ? fault : base_.msync(address, bytes, flags);
  --syncs_inside_;
  return result;
}

std::expected<std::unique_ptr<os::Ring>, int> TestKernel::io_uring_setup(unsigned entries,
                                                                         unsigned flags) noexcept {
  const Uncounted pause;
  const int fault = note({.call = Call::io_uring_setup, .flags = static_cast<int>(flags)});
  if (fault < 0) return std::unexpected(fault);
  auto ring = base_.io_uring_setup(entries, flags);
  if (!ring) return std::unexpected(ring.error());
  return std::make_unique<TestRing>(*this, std::move(*ring));
}

}  // namespace pagealloc::conformance
