// io_uring on the simulated machine: what is submitted is under way until its time has come, and
// comes back in the order of those times.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::os::sim {

class SimRing final : public Ring {
 public:
  SimRing(SimKernel& kernel, unsigned entries) : kernel_(kernel), entries_(entries) {
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
  void begin(const io_uring_sqe& sqe);
  SimKernel::File file_of(const io_uring_sqe& sqe);
  int refusal(const io_uring_sqe& sqe) const;
  SimKernel::Started start(const io_uring_sqe& sqe, SimKernel::OpenFile& file);
  void start_now(const io_uring_sqe& sqe, const SimKernel::File& file);
  void sync_after_write(const io_uring_sqe& sqe, const SimKernel::File& file, std::int64_t moved);
  void complete(const io_uring_sqe& sqe, std::int64_t result);
  void note(const char* what, const io_uring_sqe& sqe, std::int64_t result);
  bool registered(const void* address, std::uint64_t bytes) const;

  SimKernel& kernel_;
  unsigned entries_;
  bool enabled_ = false;
  std::vector<io_uring_sqe> queue_;
  std::vector<SimKernel::File> files_;
  std::vector<iovec> buffers_;
  struct Done {
    io_uring_sqe sqe;
    std::int32_t result;
  };
  std::deque<Done> completions_;
  unsigned under_way_ = 0;
};

}  // namespace pagealloc::os::sim
