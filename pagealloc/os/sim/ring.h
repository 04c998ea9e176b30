// io_uring on the simulated machine: what is submitted is under way until its time has come, and
// comes back in the order of those times.
#pragma once

#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::os::sim {

/// What an operation's end is called in the trace: "ring read", "ring write", ... Thread safe.
const char* event_of(unsigned opcode) noexcept;

class SimRing final : public Ring {
 public:
  SimRing(SimKernel& kernel, unsigned entries, unsigned flags)
      : kernel_(kernel), entries_(entries), flags_(flags) {
    queue_.reserve(entries);
  }
  ~SimRing() override;

  int register_buffers(std::span<const iovec> buffers) noexcept override;
  int register_files(std::span<const int> files) noexcept override;
  int enable() noexcept override;
  io_uring_sqe* get_sqe() noexcept override;
  int enter(unsigned wait_for) noexcept override;
  unsigned drain(std::span<io_uring_cqe> done) noexcept override;

 private:
  /// What was submitted. The kernel has copies of its own from then on, of the pieces as well.
  struct Entry {
    io_uring_sqe sqe;
    std::vector<iovec> pieces;  // of memory; none of a sync or of fallocate
    std::uint64_t bytes;
    SimKernel::File file;  // nullptr: there is none
  };
  using EntryPtr = std::shared_ptr<const Entry>;
  EntryPtr take(const io_uring_sqe& sqe);
  void begin(const EntryPtr& entry);
  SimKernel::File file_of(const io_uring_sqe& sqe);
  int refusal(const Entry& entry) const;
  SimKernel::Started start(const Entry& entry);
  void start_now(const EntryPtr& entry);
  void sync_after_write(const EntryPtr& entry, std::int64_t moved);
  void complete(const EntryPtr& entry, std::int64_t result);
  void note(const char* what, const Entry& entry, std::int64_t result);
  bool registered(const void* address, std::uint64_t bytes) const;

  SimKernel& kernel_;
  /// A thread of the host, or a fiber of the machine.
  struct Thread {
    const void* fiber = nullptr;
    std::thread::id id;
    bool operator==(const Thread&) const = default;
  };
  static Thread this_thread();

  unsigned entries_;
  unsigned flags_;
  bool enabled_ = false;
  Thread issuer_;  // of IORING_SETUP_SINGLE_ISSUER: who enabled it
  std::vector<io_uring_sqe> queue_;
  std::vector<SimKernel::File> files_;
  std::vector<iovec> buffers_;
  struct Done {
    EntryPtr entry;
    std::int32_t result;
  };
  std::deque<Done> completions_;
  unsigned under_way_ = 0;
};

}  // namespace pagealloc::os::sim
