// The rules that keep a shared file honest: what may start, what a failure means, and what must be
// durable before anything is trusted.
#include <fmt/format.h>

#include <cerrno>
#include <filesystem>

#include "labs/not_started.h"
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
  // Task 1.
  labs::not_started("SharedFile::admit", op, state, reads, run_bytes_max);
  const bool no_cache = geometry_.direct && options_.cache.bytes == 0;
  if (op.verb == Verb::prefetch && no_cache) return Errc::not_available;
  if (reads) return Errc::ok;
  if (geometry_.read_only) return Errc::read_only;
  if (op.verb == Verb::punch) return geometry_.fixed_size ? Errc::not_available : Errc::ok;
  if (op.frame == nullptr) return Errc::bad_argument;
  return aligned(op) ? Errc::ok : Errc::misaligned;
}

void SharedFile::settle(Op& op, Errc result, int os_error) noexcept {
  // Task 5.
  labs::not_started("SharedFile::settle", op, result, os_error);
}

void SharedFile::poison() noexcept {
  // Task 5.
  labs::not_started("SharedFile::poison");
}

Result<void> SharedFile::make_durable() {
  // A process that crashed may have written this file, or created it, without syncing: the page
  // cache serves its bytes now and a power cut takes them back. fsync first, then trust.
  if (!options_.sync_at_open) return {};
  // Task 6.
  labs::not_started("SharedFile::make_durable", fsync_all);
}

Result<void> SharedFile::sync_name() {
  // Task 7.
  labs::not_started("SharedFile::sync_name");
}

}  // namespace pagealloc
