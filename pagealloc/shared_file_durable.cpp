// The rules that keep a shared file honest: what may start, what a failure means, and what must be
// durable before anything is trusted.
#include <fmt/format.h>

#include <cerrno>
#include <filesystem>

#include "pagealloc/own_name.h"
#include "pagealloc/shared_file.h"
#include "pagealloc/uninterrupted.h"

namespace pagealloc {

namespace {

// One transfer may not exceed what Linux moves in one call (2 GiB less a page).
constexpr std::uint64_t run_bytes_max = 1ULL << 30;

/// EINVAL: this file system has no fsync, and nothing can be asked for (fsync(2)). EROFS is a
/// failure, although the manual page names the two together: ext4 (before 6.6) and btrfs answer so
/// when they have given up writing after an error. One that is read-only and well answers 0.
int fsync_all(os::Kernel& kernel, int fd) {
  const int result = uninterrupted([&] { return kernel.fsync(fd); });
  return result == -EINVAL ? 0 : result;
}

}  // namespace

Errc SharedFile::admit(const Op& op) const noexcept {
  const Errc state = failed();
  if (state == Errc::truncated || state == Errc::io) return state;
  const bool reads = op.verb == Verb::read || op.verb == Verb::prefetch;
  // LAB:BEGIN 1 SharedFile::admit(op, state, reads, run_bytes_max)
  if (!reads && state == Errc::poisoned) return state;
  if (op.verb == Verb::sync) return Errc::ok;
  if (op.run == 0 || bytes_of(op) > run_bytes_max) return Errc::bad_argument;
  const std::uint64_t pages = this->pages();
  if (op.page >= pages || op.run > pages - op.page) return Errc::beyond_end;
  // LAB:END
  const bool no_cache = geometry_.direct && options_.cache.bytes == 0;
  if (op.verb == Verb::prefetch && no_cache) return Errc::not_available;
  if (reads) return Errc::ok;
  if (geometry_.read_only) return Errc::read_only;
  if (op.verb == Verb::punch) return geometry_.fixed_size ? Errc::not_available : Errc::ok;
  if (op.frame == nullptr) return Errc::bad_argument;
  return aligned(op) ? Errc::ok : Errc::misaligned;
}

void SharedFile::settle(Op& op, Errc result, int os_error) noexcept {
  // LAB:BEGIN 5 SharedFile::settle(op, result, os_error)
  // Linux tells of a failed write-back once. Another sync may have been told of it while this one,
  // which covers the lost page too, came back with success.
  if (op.verb == Verb::sync && result == Errc::ok) result = failed();
  op.result = result;
  op.os_error = os_error;
  if (result == Errc::io && (op.verb == Verb::write || op.verb == Verb::sync)) poison();
  // LAB:END
}

void SharedFile::poison() noexcept {
  // LAB:BEGIN 5 SharedFile::poison()
  if (!poisoned_.exchange(true, std::memory_order_acq_rel)) forget_cache();
  // LAB:END
}

Result<void> SharedFile::make_durable() {
  // A process that crashed may have written this file, or created it, without syncing: the page
  // cache serves its bytes now and a power cut takes them back. fsync first, then trust.
  if (!options_.sync_at_open) return {};
  // LAB:BEGIN 6 SharedFile::make_durable(fsync_all)
  if (const int result = fsync_all(kernel_, fd_); result < 0) {
    forget_cache();
    return std::unexpected(error(Errc::io, -result, "cannot make the file durable, fsync failed"));
  }
  return sync_name();
  // LAB:END
}

Result<void> SharedFile::sync_name() {
  // LAB:BEGIN 7 SharedFile::sync_name()
  const std::filesystem::path name = own_name(kernel_, path_);
  const std::string directory = name.has_parent_path() ? name.parent_path().string() : ".";
  const int fd = uninterrupted(
      [&] { return kernel_.open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0); });
  int result = 0;
  if (fd == -EACCES) {
    // It may be passed through and not read. The whole file system has it, too.
    result = uninterrupted([&] { return kernel_.syncfs(fd_); });
  } else if (fd < 0) {
    return std::unexpected(error(
        errc_of_open(-fd), -fd, fmt::format("cannot open its directory {} to sync it", directory)));
  } else {
    result = fsync_all(kernel_, fd);
    const int closed = kernel_.close(fd);
    if (result == 0) result = closed;
  }
  if (result == 0) return {};
  return std::unexpected(
      error(Errc::io, -result, fmt::format("cannot sync its directory {}", directory)));
  // LAB:END
}

}  // namespace pagealloc
