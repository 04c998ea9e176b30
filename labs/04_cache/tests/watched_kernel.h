// The simulated kernel, with an eye on one call: the moment at which a turn is given back.
//
// Turn::give_back() wakes those who wait, and from then on the next one may take pages. What is
// still to be handed back after that, only some orders of threads show; here it can be seen.
#pragma once

#include <functional>
#include <utility>

#include "pagealloc/os/kernel.h"

namespace pagealloc::labs {

/// Passes every call on.
class WatchedKernel final : public os::Kernel {
 public:
  explicit WatchedKernel(os::Kernel& base) : base_(base) {}

  /// Is called before those who wait for a word are woken; empty: no longer.
  void set_at_wake(std::function<void()> what) { at_wake_ = std::move(what); }

  int open(const char* path, int flags, unsigned mode) noexcept override {
    return base_.open(path, flags, mode);
  }
  int close(int fd) noexcept override { return base_.close(fd); }
  int unlink(const char* path) noexcept override { return base_.unlink(path); }
  std::int64_t readlink(const char* path, char* target, std::size_t bytes) noexcept override {
    return base_.readlink(path, target, bytes);
  }
  int statx(int dirfd, const char* path, int flags, unsigned mask,
            struct statx* out) noexcept override {
    return base_.statx(dirfd, path, flags, mask, out);
  }
  int ioctl(int fd, unsigned long request, void* argument) noexcept override {
    return base_.ioctl(fd, request, argument);
  }
  std::int64_t preadv(int fd, const iovec* iov, int count, std::uint64_t offset) noexcept override {
    return base_.preadv(fd, iov, count, offset);
  }
  std::int64_t pwritev(int fd, const iovec* iov, int count,
                       std::uint64_t offset) noexcept override {
    return base_.pwritev(fd, iov, count, offset);
  }
  int fdatasync(int fd) noexcept override { return base_.fdatasync(fd); }
  int fsync(int fd) noexcept override { return base_.fsync(fd); }
  int syncfs(int fd) noexcept override { return base_.syncfs(fd); }
  int ftruncate(int fd, std::uint64_t bytes) noexcept override {
    return base_.ftruncate(fd, bytes);
  }
  int fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t bytes) noexcept override {
    return base_.fallocate(fd, mode, offset, bytes);
  }
  int fadvise(int fd, std::uint64_t offset, std::uint64_t bytes, int advice) noexcept override {
    return base_.fadvise(fd, offset, bytes, advice);
  }
  std::expected<void*, int> mmap(void* address, std::size_t bytes, int protection, int flags,
                                 int fd, std::uint64_t offset) noexcept override {
    return base_.mmap(address, bytes, protection, flags, fd, offset);
  }
  int munmap(void* address, std::size_t bytes) noexcept override {
    return base_.munmap(address, bytes);
  }
  int madvise(void* address, std::size_t bytes, int advice) noexcept override {
    return base_.madvise(address, bytes, advice);
  }
  int msync(void* address, std::size_t bytes, int flags) noexcept override {
    return base_.msync(address, bytes, flags);
  }
  int guard(void* address, std::size_t bytes, os::MapFaults* faults) noexcept override {
    return base_.guard(address, bytes, faults);
  }
  void unguard(void* address) noexcept override { base_.unguard(address); }
  std::expected<std::unique_ptr<os::Ring>, int> io_uring_setup(unsigned entries,
                                                               unsigned flags) noexcept override {
    return base_.io_uring_setup(entries, flags);
  }
  std::uint64_t memlock_limit_bytes() noexcept override { return base_.memlock_limit_bytes(); }
  std::unique_ptr<os::Workers> start(os::Background& work, unsigned threads) noexcept override {
    return base_.start(work, threads);
  }
  void wait(const std::atomic<std::uint32_t>& word, std::uint32_t value) noexcept override {
    base_.wait(word, value);
  }
  void wake_all(std::atomic<std::uint32_t>& word) noexcept override {
    if (at_wake_) at_wake_();
    base_.wake_all(word);
  }
  std::uint64_t now_ns() noexcept override { return base_.now_ns(); }
  os::CallCounts calls() const noexcept override { return base_.calls(); }

 private:
  os::Kernel& base_;
  std::function<void()> at_wake_;
};

}  // namespace pagealloc::labs
