#include "pagealloc/shared_file.h"

#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

namespace pagealloc {

namespace {

constexpr std::uint32_t depth_limit = 4096;
constexpr std::uint32_t threads_max = 1024;
constexpr std::uint64_t arena_bytes_max = 1ULL << 30;       // what io_uring registers in one piece
constexpr std::uint32_t direct_align_assumed_bytes = 4096;  // where statx does not tell
// One transfer may not exceed what Linux moves in one call (2 GiB less a page).
constexpr std::uint64_t run_bytes_max = 1ULL << 30;

Error refuse(const std::string& path, Errc code, std::string cause, int os_error = 0) {
  return Error{.code = code, .os_error = os_error, .path = path, .cause = std::move(cause)};
}

}  // namespace

Result<void> SharedFile::check(std::string_view path_view, const Options& options) {
  const std::string path(path_view);
  const std::uint32_t page = options.page_bytes;
  if (page < page_bytes_min || page > page_bytes_max || !std::has_single_bit(page)) {
    return std::unexpected(refuse(path, Errc::bad_argument,
                                  fmt::format("page size {} is not a power of two from {} to {}",
                                              page, page_bytes_min, page_bytes_max)));
  }
  if (options.depth == 0 || options.depth > depth_limit) {
    return std::unexpected(
        refuse(path, Errc::bad_argument,
               fmt::format("depth {} is not from 1 to {}", options.depth, depth_limit)));
  }
  if (options.threads > threads_max) {
    return std::unexpected(
        refuse(path, Errc::bad_argument,
               fmt::format("{} threads are more than {}", options.threads, threads_max)));
  }
  if (std::uint64_t{options.frames} * page > arena_bytes_max) {
    return std::unexpected(refuse(path, Errc::bad_argument,
                                  fmt::format("{} frames of {} bytes are more than {} bytes",
                                              options.frames, page, arena_bytes_max)));
  }
  if (options.create && options.read_only) {
    return std::unexpected(refuse(path, Errc::bad_argument, "a file cannot be created read-only"));
  }
  return {};
}

namespace {

std::string kind_of(unsigned mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a directory";
    case S_IFIFO:
      return "a FIFO";
    case S_IFSOCK:
      return "a socket";
    case S_IFCHR:
      return "a character device";
    default:
      return "neither a regular file nor a block device";
  }
}

bool holds_pages(unsigned mode) { return S_ISREG(mode) || S_ISBLK(mode); }

/// EINVAL and EROFS: this file system keeps nothing that could be lost (fsync(2)).
int fsync_all(os::Kernel& kernel, int fd) {
  int result = 0;
  do {
    result = kernel.fsync(fd);
  } while (result == -EINTR);
  return result == -EINVAL || result == -EROFS ? 0 : result;
}

std::string directory_of(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

}  // namespace

Result<std::shared_ptr<SharedFile>> SharedFile::open(std::string_view path, const Options& options,
                                                     Direct direct) {
  os::Kernel& kernel = options.kernel == nullptr ? os::linux_kernel() : *options.kernel;
  if (auto good = check(path, options); !good) return std::unexpected(good.error());
  std::shared_ptr<SharedFile> file(new SharedFile(kernel, std::string(path), options));
  const Direct wanted = options.direct.value_or(direct);
  if (auto good = file->open_descriptor(wanted); !good) return std::unexpected(good.error());
  if (auto good = file->measure(); !good) return std::unexpected(good.error());
  if (auto good = file->find_alignment(); !good) {
    if (wanted != Direct::attempt) return std::unexpected(good.error());
    if (auto again = file->give_up_direct(); !again) return std::unexpected(again.error());
  }
  if (auto good = file->make_durable(); !good) return std::unexpected(good.error());
  return file;
}

SharedFile::~SharedFile() {
  // Nobody is left to be told of a failed close, and nothing depends on it: what was synced is
  // durable, and what was not was never promised.
  if (fd_ >= 0) (void)kernel_.close(fd_);
  if (created_) (void)kernel_.unlink(path_.c_str());
}

Error SharedFile::error(Errc code, int os_error, std::string cause) const {
  return refuse(path_, code, std::move(cause), os_error);
}

Result<void> SharedFile::open_descriptor(Direct direct) {
  // Looked at before opening, because opening a FIFO would wait for its other end.
  struct statx before{};
  int result = kernel_.statx(AT_FDCWD, path_.c_str(), 0, STATX_TYPE | STATX_MODE, &before);
  if (result == 0 && !holds_pages(before.stx_mode)) {
    return std::unexpected(error(Errc::not_page_file, 0,
                                 fmt::format("{} cannot hold pages", kind_of(before.stx_mode))));
  }
  const int flags =
      O_CLOEXEC | (options_.read_only ? O_RDONLY : O_RDWR) | (options_.write_through ? O_DSYNC : 0);
  fd_ = -EINVAL;
  if (direct != Direct::off) {
    fd_ = open_or_create(flags | O_DIRECT);
    geometry_.direct = fd_ >= 0;
    if (fd_ == -EINVAL && direct == Direct::require) {
      return std::unexpected(
          error(Errc::not_available, 0, "not available here: this file system refuses O_DIRECT"));
    }
  }
  if (fd_ == -EINVAL) fd_ = open_or_create(flags);
  if (fd_ < 0) {
    const int os_error = -fd_;
    return std::unexpected(error(errc_of_open(os_error), os_error,
                                 options_.read_only ? "cannot open" : "cannot open for writing"));
  }
  return {};
}

// O_EXCL first, to know whose file it is: one that was made here goes again if open() fails.
int SharedFile::open_or_create(int flags) {
  constexpr unsigned mode = 0666;  // less the umask
  if (options_.create && !created_) {
    const int fd = kernel_.open(path_.c_str(), flags | O_CREAT | O_EXCL, mode);
    // Most file systems have made the file when they find that they must refuse O_DIRECT.
    created_ = fd >= 0 || fd == -EINVAL;
    if (fd != -EEXIST) return fd;
  }
  return kernel_.open(path_.c_str(), flags | (created_ ? O_CREAT : 0), mode);
}

Result<int> SharedFile::reopen() const {
  const int flags = O_CLOEXEC | (options_.read_only ? O_RDONLY : O_RDWR) |
                    (geometry_.direct ? O_DIRECT : 0) | (options_.write_through ? O_DSYNC : 0);
  const int fd = kernel_.open(path_.c_str(), flags, 0);
  if (fd < 0) return std::unexpected(error(errc_of_open(-fd), -fd, "cannot open once more"));
  struct statx first{};
  struct statx second{};
  const int one = kernel_.statx(fd_, "", AT_EMPTY_PATH, STATX_INO, &first);
  const int two = kernel_.statx(fd, "", AT_EMPTY_PATH, STATX_INO, &second);
  const bool same = one == 0 && two == 0 && first.stx_ino == second.stx_ino &&
                    first.stx_dev_major == second.stx_dev_major &&
                    first.stx_dev_minor == second.stx_dev_minor;
  if (same) return fd;
  (void)kernel_.close(fd);
  return std::unexpected(
      error(Errc::cannot_open, 0, "another file has taken its name while it was open"));
}

Result<void> SharedFile::measure() {
  struct statx now{};
  const int result = kernel_.statx(fd_, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &now);
  if (result < 0) return std::unexpected(error(Errc::io, -result, "statx failed"));
  std::uint64_t bytes = now.stx_size;
  if (S_ISBLK(now.stx_mode)) {
    geometry_.fixed_size = true;
    const int got = kernel_.ioctl(fd_, BLKGETSIZE64, &bytes);
    if (got < 0) return std::unexpected(error(Errc::io, -got, "cannot tell the device's size"));
  } else if (!holds_pages(now.stx_mode)) {
    return std::unexpected(
        error(Errc::not_page_file, 0, fmt::format("{} cannot hold pages", kind_of(now.stx_mode))));
  }
  if (bytes % options_.page_bytes != 0) {
    return std::unexpected(
        error(Errc::not_page_file, 0,
              fmt::format("its size of {} bytes is not a multiple of the page size {}", bytes,
                          options_.page_bytes)));
  }
  // Blocks are counted in 512 bytes whatever the file system's own block is (statx(2)).
  if (!geometry_.fixed_size && now.stx_blocks * 512 < bytes) mark_sparse();
  pages_.store(bytes / options_.page_bytes, std::memory_order_release);
  geometry_.page_bytes = options_.page_bytes;
  geometry_.read_only = options_.read_only;
  geometry_.write_through = options_.write_through;
  geometry_.depth_max = options_.depth;
  geometry_.frames = options_.frames != 0 ? options_.frames : std::max(2 * options_.depth, 16U);
  return {};
}

Result<void> SharedFile::find_alignment() {
  if (!geometry_.direct) return {};
  struct statx now{};
  const int result = kernel_.statx(fd_, "", AT_EMPTY_PATH, STATX_DIOALIGN, &now);
  if (result < 0) return std::unexpected(error(Errc::io, -result, "statx failed"));
  std::uint32_t memory_align = direct_align_assumed_bytes;
  std::uint32_t offset_align = direct_align_assumed_bytes;
  const bool told = (now.stx_mask & STATX_DIOALIGN) != 0;
  if (told) {
    memory_align = now.stx_dio_mem_align;
    offset_align = now.stx_dio_offset_align;
  }
  if (offset_align == 0) {
    return std::unexpected(error(Errc::not_available, 0,
                                 "not available here: this file cannot be read with O_DIRECT"));
  }
  const std::uint32_t align = std::max(memory_align, offset_align);
  if (options_.page_bytes % align != 0) {
    return std::unexpected(error(
        Errc::not_available, 0,
        fmt::format("not available here: pages of {} bytes with O_DIRECT, {} {}-byte blocks",
                    options_.page_bytes, told ? "this file system asks for" : "assuming", align)));
  }
  geometry_.align_bytes = align;
  return {};
}

// O_DIRECT was to be tried, was granted, and asks for more than these pages can give.
Result<void> SharedFile::give_up_direct() {
  (void)kernel_.close(fd_);
  geometry_.direct = false;
  fd_ = -1;
  return open_descriptor(Direct::off);
}

Result<void> SharedFile::make_durable() {
  // A process that crashed may have written this file, or created it, without syncing: the page
  // cache serves its bytes now and a power cut takes them back. fsync first, then trust.
  if (!options_.sync_at_open) return {};
  if (const int result = fsync_all(kernel_, fd_); result < 0) {
    return std::unexpected(error(Errc::io, -result, "cannot make the file durable, fsync failed"));
  }
  const std::string directory = directory_of(path_);
  const int fd = kernel_.open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) {
    return std::unexpected(error(
        Errc::cannot_open, -fd, fmt::format("cannot open its directory {} to sync it", directory)));
  }
  const int result = fsync_all(kernel_, fd);
  const int closed = kernel_.close(fd);
  if (result < 0 || closed < 0) {
    return std::unexpected(error(Errc::io, result < 0 ? -result : -closed,
                                 fmt::format("cannot sync its directory {}", directory)));
  }
  return {};
}

Errc SharedFile::failed() const noexcept {
  if (map_faults_.load(std::memory_order_acquire) != 0) return Errc::truncated;
  return poisoned_.load(std::memory_order_acquire) ? Errc::poisoned : Errc::ok;
}

Errc SharedFile::admit(const Op& op) const noexcept {
  const Errc state = failed();
  if (state == Errc::truncated) return state;
  if (op.verb != Verb::read && state == Errc::poisoned) return state;
  if (op.verb == Verb::sync) return Errc::ok;
  if (op.run == 0 || bytes_of(op) > run_bytes_max) return Errc::bad_argument;
  const std::uint64_t pages = this->pages();
  if (op.page >= pages || op.run > pages - op.page) return Errc::beyond_end;
  if (op.verb == Verb::read) return Errc::ok;
  if (geometry_.read_only) return Errc::read_only;
  if (op.verb == Verb::punch) return geometry_.fixed_size ? Errc::not_available : Errc::ok;
  if (op.frame == nullptr) return Errc::bad_argument;
  if (reinterpret_cast<std::uintptr_t>(op.frame) % geometry_.align_bytes != 0) {
    return Errc::misaligned;
  }
  return Errc::ok;
}

void SharedFile::settle(Op& op, Errc result, int os_error) noexcept {
  // Linux tells of a failed write-back once. Another sync may have been told of it while this one,
  // which covers the lost page too, came back with success.
  if (op.verb == Verb::sync && result == Errc::ok) result = failed();
  op.result = result;
  op.os_error = os_error;
  if (result == Errc::io && (op.verb == Verb::write || op.verb == Verb::sync)) poison();
}

int SharedFile::allocate(std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  int result = 0;
  do {
    result = kernel_.fallocate(fd_, 0, offset_bytes, length_bytes);
  } while (result == -EINTR);
  if (result != -EOPNOTSUPP) return result;
  // This file system cannot reserve space; writing zeros past the end takes it all the same.
  constexpr std::size_t chunk_bytes = 1U << 20;
  struct Aligned {
    alignas(4096) std::byte bytes[chunk_bytes];
  };
  const auto zeros = std::make_unique<Aligned>();
  while (length_bytes > 0) {
    const iovec iov{zeros->bytes, std::min<std::uint64_t>(chunk_bytes, length_bytes)};
    const std::int64_t written = kernel_.pwritev(fd_, &iov, 1, offset_bytes);
    if (written == -EINTR) continue;
    if (written <= 0) return written == 0 ? -EIO : static_cast<int>(written);
    offset_bytes += static_cast<std::uint64_t>(written);
    length_bytes -= static_cast<std::uint64_t>(written);
  }
  return 0;
}

Result<void> SharedFile::resize(std::uint64_t pages) {
  std::lock_guard lock(resize_mutex_);
  if (geometry_.read_only) {
    return std::unexpected(error(Errc::read_only, 0, "cannot resize, opened read-only"));
  }
  if (geometry_.fixed_size) {
    return std::unexpected(error(Errc::not_available, 0, "cannot resize a block device"));
  }
  if (const Errc state = failed(); state != Errc::ok) {
    return std::unexpected(error(state, 0, "cannot resize, the file has failed"));
  }
  if (pages > static_cast<std::uint64_t>(INT64_MAX) / geometry_.page_bytes) {
    return std::unexpected(
        error(Errc::bad_argument, 0,
              fmt::format("cannot resize to {} pages of {} bytes, no file can be that long", pages,
                          geometry_.page_bytes)));
  }
  if (pages * geometry_.page_bytes > limit_bytes_) {
    return std::unexpected(
        error(Errc::bad_argument, 0,
              fmt::format("cannot resize to {} pages, only {} bytes of address space were reserved "
                          "for the map",
                          pages, limit_bytes_)));
  }
  const std::uint64_t before_bytes = bytes();
  const std::uint64_t after_bytes = pages * geometry_.page_bytes;
  if (after_bytes < before_bytes) check_nothing_beyond(pages);
  int result = 0;
  if (after_bytes > before_bytes) {
    result = allocate(before_bytes, after_bytes - before_bytes);
    // Part of it may have been allocated, and the file be longer by a piece of a page.
    if (result < 0 && kernel_.ftruncate(fd_, before_bytes) < 0) poison();
  } else if (after_bytes < before_bytes) {
    pages_.store(pages, std::memory_order_release);  // first: nothing new may start out there
    do {
      result = kernel_.ftruncate(fd_, after_bytes);
    } while (result == -EINTR);
    if (result < 0) pages_.store(before_bytes / geometry_.page_bytes, std::memory_order_release);
  }
  if (result < 0) {
    return std::unexpected(error(errc_of_io(-result), -result,
                                 fmt::format("cannot resize from {} to {} pages",
                                             before_bytes / geometry_.page_bytes, pages)));
  }
  pages_.store(pages, std::memory_order_release);
  return {};
}

#ifdef NDEBUG

void SharedFile::track(Op&) noexcept {}
void SharedFile::untrack(Op&) noexcept {}
void SharedFile::check_nothing_beyond(std::uint64_t) noexcept {}

#else

namespace {

bool overlaps(const Op& a, const Op& b) {
  if (a.verb == Verb::sync || b.verb == Verb::sync) return false;
  if (a.verb == Verb::read && b.verb == Verb::read) return false;
  return a.page < b.page + b.run && b.page < a.page + a.run;
}

[[noreturn]] void die_of_overlap(const std::string& path, const Op& a, const Op& b) {
  fmt::print(stderr,
             "{}: {} of pages {}..{} overlaps {} of pages {}..{} that is still in flight "
             "(clause 7)\n",
             path, name_of(a.verb), a.page, a.page + a.run - 1, name_of(b.verb), b.page,
             b.page + b.run - 1);
  std::abort();
}

}  // namespace

void SharedFile::track(Op& op) noexcept {
  std::lock_guard lock(overlap_mutex_);
  for (Op* other = in_flight_; other != nullptr; other = other->overlap_next) {
    if (overlaps(op, *other)) die_of_overlap(path_, op, *other);
  }
  op.overlap_previous = nullptr;
  op.overlap_next = in_flight_;
  if (in_flight_ != nullptr) in_flight_->overlap_previous = &op;
  in_flight_ = &op;
}

void SharedFile::untrack(Op& op) noexcept {
  std::lock_guard lock(overlap_mutex_);
  (op.overlap_previous == nullptr ? in_flight_ : op.overlap_previous->overlap_next) =
      op.overlap_next;
  if (op.overlap_next != nullptr) op.overlap_next->overlap_previous = op.overlap_previous;
}

void SharedFile::check_nothing_beyond(std::uint64_t pages) noexcept {
  std::lock_guard lock(overlap_mutex_);
  for (Op* op = in_flight_; op != nullptr; op = op->overlap_next) {
    if (op->verb == Verb::sync || op->page + op->run <= pages) continue;
    fmt::print(stderr,
               "{}: resize to {} pages cuts off a {} of pages {}..{} that is still in flight "
               "(clause 7)\n",
               path_, pages, name_of(op->verb), op->page, op->page + op->run - 1);
    std::abort();
  }
}

#endif

}  // namespace pagealloc
