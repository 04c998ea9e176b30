#include "impl_uring/engine.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <utility>

#include "pagealloc/file_on.h"

namespace pagealloc::impl_uring {

namespace {

std::string why_refused(os::Kernel& kernel, int os_error) {
  if (os_error == ENOSYS) return "not available here: this kernel has no io_uring";
  if (os_error != EPERM) return "not available here: io_uring_setup failed";
  std::array<char, 8> value{};
  const int fd = kernel.open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC, 0);
  if (fd >= 0) {
    const iovec iov{value.data(), value.size() - 1};
    if (kernel.preadv(fd, &iov, 1, 0) <= 0) value[0] = '0';
    (void)kernel.close(fd);
  }
  if (value[0] == '1' || value[0] == '2') {
    return fmt::format("not available here: io_uring is switched off, kernel.io_uring_disabled={}",
                       value[0]);
  }
  return "not available here: io_uring is refused, as a container's seccomp filter does";
}

unsigned entries_of(const Options& options) {
  return options.depth + (options.cache.bytes == 0 ? 0 : cache_transfers_max);
}

Result<std::unique_ptr<os::Ring>> make_ring(os::Kernel& kernel, std::string_view path,
                                            const Options& options) {
  // Best first. One issuer and deferred task work (6.1): completions are processed when their owner
  // asks, not by interrupting it. Cooperative (5.19): at the owner's next system call. Not the
  // first with a cache: a handle that nothing is in flight on may be closed by any thread (clause
  // 14), and it may have read ahead.
  constexpr std::array<unsigned, 3> flags_best_first = {
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_COOP_TASKRUN, 0};
  const bool cached = options.cache.bytes != 0;
  int result = -EINVAL;
  for (const unsigned flags : std::span(flags_best_first).subspan(cached ? 1 : 0)) {
    auto ring = kernel.io_uring_setup(entries_of(options), flags);
    if (ring) return std::move(*ring);
    result = ring.error();
    if (result != -EINVAL) break;
  }
  return std::unexpected(Error{.code = Errc::not_available,
                               .os_error = -result,
                               .path = std::string(path),
                               .cause = why_refused(kernel, -result)});
}

}  // namespace

Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options) {
  os::Kernel& kernel = options.kernel == nullptr ? os::linux_kernel() : *options.kernel;
  if (auto good = SharedFile::check(path, options); !good) return std::unexpected(good.error());
  // The ring comes first, so that a machine that refuses it leaves no new file behind.
  auto ring = make_ring(kernel, path, options);
  if (!ring) return std::unexpected(ring.error());
  auto shared = SharedFile::open(path, options, Direct::require);
  if (!shared) return std::unexpected(shared.error());
  constexpr int shared_fd = -1;
  return file_on(Engine::make(*shared, std::move(*ring), shared_fd));
}

Result<std::unique_ptr<IoEngine>> Engine::make(std::shared_ptr<SharedFile> shared,
                                               std::unique_ptr<os::Ring> ring, int own_fd) {
  const int fd = own_fd < 0 ? shared->fd() : own_fd;
  if (!shared->geometry().direct) blocking::advise(*shared, fd);
  if (const int result = ring->register_files({&fd, 1}); result < 0) {
    return std::unexpected(shared->error(Errc::not_available, -result,
                                         "not available here: cannot register the file"));
  }
  return std::make_unique<Engine>(std::move(shared), std::move(ring), own_fd);
}

Engine::Engine(std::shared_ptr<SharedFile> shared, std::unique_ptr<os::Ring> ring, int own_fd)
    : IoEngine(std::move(shared)), own_fd_(own_fd), ring_(std::move(ring)) {}

Engine::~Engine() {
  if (own_fd_ >= 0) (void)shared().kernel().close(own_fd_);
}

Result<std::unique_ptr<IoEngine>> Engine::another() noexcept {
  auto ring = make_ring(shared().kernel(), shared().path(), shared().options());
  if (!ring) return std::unexpected(ring.error());
  // Its syncs run beside ours, and each must hear of a failure: see sync_group.h.
  auto fd = shared().reopen();
  if (!fd) return std::unexpected(fd.error());
  auto engine = make(share(), std::move(*ring), *fd);
  if (!engine) (void)shared().kernel().close(*fd);
  return engine;
}

Result<void> Engine::prepare(std::span<const iovec> memory) {
  if (!shared().options().registered_buffers) return {};
  registered_.assign(memory.begin(), memory.end());
  const int result = ring_->register_buffers(registered_);
  if (result >= 0) return {};
  std::size_t bytes = 0;
  for (const iovec& block : memory) bytes += block.iov_len;
  return std::unexpected(shared().error(
      Errc::not_available, -result,
      fmt::format("not available here: {} bytes of registered buffers, RLIMIT_MEMLOCK is {} bytes "
                  "(see ulimit -l)",
                  bytes, shared().kernel().memlock_limit_bytes())));
}

}  // namespace pagealloc::impl_uring
