#include "pagealloc/blocking.h"

#include <algorithm>
#include <cerrno>

#include "labs/not_started.h"
#include "pagealloc/pieces.h"
#include "pagealloc/uninterrupted.h"

namespace pagealloc::blocking {

namespace {

/// Moves the operation's range, however many calls it takes. No progress is the end of the file.
template <typename Move>
Outcome move_all(const SharedFile& file, const Op& op, Move move) noexcept {
  // Task 2.
  labs::not_started("move_all", file, op, move);
}

}  // namespace

void advise(SharedFile& file, int fd) noexcept {
  int advice = POSIX_FADV_NORMAL;
  if (file.options().access == Access::random) advice = POSIX_FADV_RANDOM;
  if (file.options().access == Access::sequential) advice = POSIX_FADV_SEQUENTIAL;
  // A file system may ignore it or not know it; neither changes what is read.
  if (advice != POSIX_FADV_NORMAL) (void)file.kernel().fadvise(fd, 0, 0, advice);
}

Outcome read(SharedFile& file, const Op& op) noexcept {
  return move_all(file, op, [&](std::span<const iovec> to, std::uint64_t offset) {
    return file.kernel().preadv(file.fd(), to.data(), static_cast<int>(to.size()), offset);
  });
}

Outcome write(SharedFile& file, const Op& op) noexcept {
  // Task 3.
  labs::not_started("blocking::write", file, op);
}

Outcome sync(SharedFile& file) noexcept {
  // Task 4.
  labs::not_started("blocking::sync", file);
}

// In pieces, because Linux cuts each call off at the longest readahead of the device, 128 KiB
// unless it was set otherwise, and says nothing.
Outcome prefetch(SharedFile& file, const Op& op) noexcept {
  constexpr std::uint64_t piece_bytes = 128U << 10;
  const std::uint64_t end = file.offset_of(op.page) + file.bytes_of(op);
  for (std::uint64_t at = file.offset_of(op.page); at < end; at += piece_bytes) {
    const std::uint64_t bytes = std::min(piece_bytes, end - at);
    const int result = file.kernel().fadvise(file.fd(), at, bytes, POSIX_FADV_WILLNEED);
    if (result < 0) return {Errc::not_available, -result};
  }
  return {};
}

Outcome execute(SharedFile& file, const Op& op) noexcept {
  switch (op.verb) {
    case Verb::read:
      return read(file, op);
    case Verb::write:
      return write(file, op);
    case Verb::sync:
      return sync(file);
    case Verb::punch:
      return punch(file, op);
    case Verb::prefetch:
      return prefetch(file, op);
  }
  return {Errc::bad_argument, 0};
}

}  // namespace pagealloc::blocking
