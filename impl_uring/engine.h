// Page files through io_uring: many operations in flight from one thread.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "pagealloc/io_engine.h"

namespace pagealloc::impl_uring {

/// Opens `path`, with O_DIRECT unless Options::direct says otherwise. Where io_uring is refused the
/// error says by whom, as far as can be told. Uses Options::registered_buffers.
Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options);

class Engine final : public IoEngine {
 public:
  static Result<std::unique_ptr<IoEngine>> make(std::shared_ptr<SharedFile> shared,
                                                std::unique_ptr<os::Ring> ring, int own_fd);
  Engine(std::shared_ptr<SharedFile> shared, std::unique_ptr<os::Ring> ring, int own_fd);
  ~Engine() override;
  Result<std::unique_ptr<IoEngine>> another() noexcept override;
  Result<void> prepare(std::span<const iovec> memory) override;
  void begin(Op& op) noexcept override;
  void send() noexcept override;
  void advance(std::size_t wanted) noexcept override;
  bool overlaps() const noexcept override { return true; }

 private:
  /// Op::done_bytes of a write whose range is being allocated first. No transfer is that long.
  static constexpr std::uint32_t filling = UINT32_MAX;

  void queue(Op& op) noexcept;
  void fill(io_uring_sqe& sqe, const Op& op) const noexcept;
  int buffer_of(const iovec& block) const noexcept;
  void collect() noexcept;
  void step(Op& op, std::int32_t result) noexcept;
  void step_sync(std::int32_t result) noexcept;

  bool enabled_ = false;
  int own_fd_;                // open file description of this engine alone; -1: the shared one
  unsigned queued_ = 0;       // entries filled and not yet submitted
  unsigned outstanding_ = 0;  // entries filled whose completion has not been seen
  std::vector<iovec> registered_;
  // One sync in the kernel at a time, for the reason in sync_group.h. Those that come meanwhile
  // wait for the next, which serves them all: the first of syncing_ is the one that asks the
  // kernel.
  OpList syncing_;
  OpList waiting_syncs_;
  std::unique_ptr<os::Ring> ring_;
};

}  // namespace pagealloc::impl_uring
