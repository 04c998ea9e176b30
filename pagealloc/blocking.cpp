#include "pagealloc/blocking.h"

#include <algorithm>
#include <cerrno>

#include "pagealloc/pieces.h"
#include "pagealloc/uninterrupted.h"

namespace pagealloc::blocking {

namespace {

/// Moves the operation's range, however many calls it takes. No progress is the end of the file.
template <typename Move>
Outcome move_all(const SharedFile& file, const Op& op, Move move) noexcept {
  // LAB:BEGIN 2 move_all(file, op, move)
  const std::size_t bytes = file.bytes_of(op);
  std::size_t done_bytes = 0;
  while (done_bytes < bytes) {
    iovec whole;
    const auto left = left_of(op, done_bytes, file.geometry().page_bytes, whole);
    const std::int64_t result = move(left, file.offset_of(op.page) + done_bytes);
    if (result == -EINTR) continue;
    if (result < 0) {
      const int os_error = static_cast<int>(-result);
      return {file.errc_of_transfer(os_error, done_bytes == 0), os_error};
    }
    auto moved = static_cast<std::size_t>(result);
    // The rest must start aligned again: what came past the last boundary is moved once more.
    if (moved < bytes - done_bytes) moved -= moved % file.geometry().align_bytes;
    if (moved == 0) return {Errc::truncated, 0};
    done_bytes += moved;
  }
  return {};
  // LAB:END
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
  // LAB:BEGIN 3 blocking::write(file, op)
  if (const Outcome filled = fill_holes(file, op); filled.result != Errc::ok) return filled;
  Outcome outcome = move_all(file, op, [&](std::span<const iovec> from, std::uint64_t offset) {
    return file.kernel().pwritev(file.fd(), from.data(), static_cast<int>(from.size()), offset);
  });
  // A write has no end of file to run into: one that moves nothing has failed.
  if (outcome.result == Errc::truncated) outcome = {Errc::io, EIO};
  return outcome;
  // LAB:END
}

Outcome sync(SharedFile& file) noexcept {
  // LAB:BEGIN 4 blocking::sync(file)
  const int result = file.sync_group().run(
      [&] { return uninterrupted([&] { return file.kernel().fdatasync(file.fd()); }); });
  return result < 0 ? Outcome{Errc::io, -result} : Outcome{};
  // LAB:END
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
