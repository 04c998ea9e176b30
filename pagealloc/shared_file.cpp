#include "pagealloc/shared_file.h"

#include <fmt/format.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <filesystem>

#include "pagealloc/holes.h"
#include "pagealloc/own_name.h"
#include "pagealloc/uninterrupted.h"

namespace pagealloc {

namespace {

constexpr std::uint32_t depth_limit = 4096;
constexpr std::uint32_t threads_max = 1024;
constexpr std::uint64_t cache_frames_max = 1ULL << 30;
constexpr std::uint64_t arena_bytes_max = 1ULL << 30;  // what io_uring registers in one piece

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
  const std::uint64_t cache_frames = options.cache.bytes / page;
  if (options.cache.bytes != 0 && (cache_frames == 0 || cache_frames > cache_frames_max)) {
    return std::unexpected(
        refuse(path, Errc::bad_argument,
               fmt::format("a cache of {} bytes is not one of 1 to {} pages of {} bytes",
                           options.cache.bytes, cache_frames_max, page)));
  }
  if (options.create && options.read_only) {
    return std::unexpected(refuse(path, Errc::bad_argument, "a file cannot be created read-only"));
  }
  return {};
}

namespace {

bool same_file(const struct statx& a, const struct statx& b) {
  return a.stx_ino == b.stx_ino && a.stx_dev_major == b.stx_dev_major &&
         a.stx_dev_minor == b.stx_dev_minor;
}

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

}  // namespace

Result<std::shared_ptr<SharedFile>> SharedFile::open(std::string_view path, const Options& options,
                                                     Direct direct) {
  os::Kernel& kernel = options.kernel == nullptr ? os::linux_kernel() : *options.kernel;
  if (auto good = check(path, options); !good) return std::unexpected(good.error());
  std::shared_ptr<SharedFile> file(new SharedFile(kernel, std::string(path), options));
  const Direct wanted = options.direct.value_or(direct);
  if (auto good = file->check_kind(); !good) return std::unexpected(good.error());
  if (auto good = file->open_descriptor(wanted); !good) return std::unexpected(good.error());
  if (auto good = file->measure(); !good) return std::unexpected(good.error());
  if (auto good = file->find_alignment(); !good) {
    // Only an answer is one to do without: a statx that failed has told nothing.
    const bool answered = good.error().code == Errc::not_available;
    if (wanted != Direct::attempt || !answered) return std::unexpected(good.error());
    if (auto again = file->give_up_direct(); !again) return std::unexpected(again.error());
    // It was opened by its name, which may lead to another file by now.
    if (auto again = file->measure(); !again) return std::unexpected(again.error());
  }
  if (auto good = file->make_durable(); !good) return std::unexpected(good.error());
  return file;
}

SharedFile::~SharedFile() {
  // Nobody is left to be told of a failed close, and nothing depends on it: what was synced is
  // durable, and what was not was never promised.
  if (created_) remove_created();
  if (failed() == Errc::poisoned) forget_cache();  // again: what was mapped stayed until now
  if (fd_ >= 0) (void)kernel_.close(fd_);
}

// Only while it is empty, and still ours: another process may have begun to use it.
void SharedFile::remove_created() noexcept {
  struct statx named{};
  struct statx opened{};
  constexpr unsigned mask = STATX_INO | STATX_SIZE;
  const std::filesystem::path name = own_name(kernel_, path_);
  if (kernel_.statx(AT_FDCWD, name.c_str(), AT_SYMLINK_NOFOLLOW, mask, &named) < 0) return;
  if (fd_ >= 0 && kernel_.statx(fd_, "", AT_EMPTY_PATH, mask, &opened) < 0) return;
  const bool ours = fd_ < 0 || same_file(named, opened);
  if (!ours || named.stx_size != 0 || kernel_.unlink(name.c_str()) < 0) return;
  // Its name may have been made durable before something else failed.
  if (options_.sync_at_open) (void)sync_name();
}

Error SharedFile::error(Errc code, int os_error, std::string cause) const {
  return refuse(path_, code, std::move(cause), os_error);
}

// Before opening, because opening a FIFO would wait for its other end.
Result<void> SharedFile::check_kind() {
  struct statx before{};
  const int result = kernel_.statx(AT_FDCWD, path_.c_str(), 0, STATX_TYPE | STATX_MODE, &before);
  if (result < 0 || holds_pages(before.stx_mode)) return {};
  return std::unexpected(
      error(Errc::not_page_file, 0, fmt::format("{} cannot hold pages", kind_of(before.stx_mode))));
}

// O_EXCL first, to know whose file it is: one that was made here goes again if open() fails. A
// symbolic link that leads nowhere is in O_EXCL's way, and no file yet.
int SharedFile::open_or_create(int flags) {
  constexpr unsigned mode = 0666;  // less the umask
  const auto open = [&](int more) {
    return uninterrupted([&] { return kernel_.open(path_.c_str(), flags | more, mode); });
  };
  if (!options_.create || created_) return open(created_ ? O_CREAT : 0);
  int fd = open(O_CREAT | O_EXCL);
  if (fd == -EEXIST) {
    fd = open(0);
    if (fd != -ENOENT) return fd;
    fd = open(O_CREAT);
  }
  // Most file systems have made the file when they find that they must refuse O_DIRECT.
  created_ = fd >= 0 || fd == -EINVAL;
  return fd;
}

Result<int> SharedFile::reopen() const {
  const int flags = O_CLOEXEC | (options_.read_only ? O_RDONLY : O_RDWR) |
                    (geometry_.direct ? O_DIRECT : 0) | (options_.write_through ? O_DSYNC : 0);
  // By its descriptor, because a relative path, or the name, may lead somewhere else by now.
  const auto open = [&](const std::string& name) {
    return uninterrupted([&] { return kernel_.open(name.c_str(), flags, 0); });
  };
  int fd = open(fmt::format("/proc/self/fd/{}", fd_));
  if (fd < 0) fd = open(path_);
  if (fd < 0) return std::unexpected(error(errc_of_open(-fd), -fd, "cannot open once more"));
  struct statx first{};
  struct statx second{};
  const int one = kernel_.statx(fd_, "", AT_EMPTY_PATH, STATX_INO, &first);
  const int two = kernel_.statx(fd, "", AT_EMPTY_PATH, STATX_INO, &second);
  if (one == 0 && two == 0 && same_file(first, second)) return fd;
  (void)kernel_.close(fd);
  return std::unexpected(
      error(Errc::cannot_open, 0, "another file has taken its name while it was open"));
}

Result<void> SharedFile::measure() {
  struct statx now{};
  const int result = kernel_.statx(fd_, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &now);
  if (result < 0) return std::unexpected(error(Errc::io, -result, "statx failed"));
  std::uint64_t bytes = now.stx_size;
  geometry_.fixed_size = S_ISBLK(now.stx_mode);
  if (geometry_.fixed_size) {
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
  const bool may_have_holes = !geometry_.fixed_size && !options_.read_only;
  if (may_have_holes && (now.stx_blocks * 512 < bytes || has_holes(kernel_, fd_, bytes))) {
    mark_sparse();
  }
  pages_.store(bytes / options_.page_bytes, std::memory_order_release);
  geometry_.page_bytes = options_.page_bytes;
  geometry_.read_only = options_.read_only;
  geometry_.write_through = options_.write_through;
  geometry_.depth_max = options_.depth;
  geometry_.frames = options_.frames != 0 ? options_.frames : std::max(2 * options_.depth, 16U);
  return {};
}

// A page that could not be written back is clean, and its new bytes stay in the page cache: the
// next process would read them, its fsync would succeed, and a power cut would take them. So they
// are dropped, and who comes next reads what the medium has. Advice, which the kernel need not
// follow, hence best effort; without the page cache there is nothing to drop. Pages that are mapped
// are not dropped, so they are unmapped first: of a shared map that loses nothing, not even stores.
void SharedFile::forget_cache() const noexcept {
  if (std::byte* const map = map_; map != nullptr && bytes() > 0) {
    (void)kernel_.madvise(map, bytes(), MADV_DONTNEED);
  }
  if (fd_ >= 0) (void)kernel_.fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
}

Errc SharedFile::failed() const noexcept {
  if (map_faults_.count.load(std::memory_order_acquire) != 0) return map_failure();
  return poisoned_.load(std::memory_order_acquire) ? Errc::poisoned : Errc::ok;
}

// The signal is the same for a page behind the end and for one that the disk could not deliver;
// where the page was tells them apart. A device has no end that moves, and statx no length of it.
Errc SharedFile::map_failure() const noexcept {
  const Errc known = map_failure_.load(std::memory_order_acquire);
  if (known != Errc::ok) return known;
  struct statx now{};
  const int result = kernel_.statx(fd_, "", AT_EMPTY_PATH, STATX_SIZE, &now);
  const bool inside = map_faults_.offset_bytes.load(std::memory_order_relaxed) < now.stx_size;
  const bool disk = geometry_.fixed_size || (result == 0 && inside);
  // The first answer stays: what has failed must not change its name.
  Errc first = Errc::ok;
  const Errc found = disk ? Errc::io : Errc::truncated;
  return map_failure_.compare_exchange_strong(first, found) ? found : first;
}

// Another opener, a stranger, may have written where our growth would put zeros, and what it wrote
// must not be cut off either.
Result<void> SharedFile::check_length() {
  struct statx now{};
  const int result = kernel_.statx(fd_, "", AT_EMPTY_PATH, STATX_SIZE, &now);
  if (result < 0) return std::unexpected(error(Errc::io, -result, "statx failed"));
  if (now.stx_size == bytes()) return {};
  const bool shorter = now.stx_size < bytes();
  return std::unexpected(
      error(shorter ? Errc::truncated : Errc::bad_argument, 0,
            fmt::format("cannot resize, somebody else has made it {}: {} bytes, not {}",
                        shorter ? "shorter" : "longer", now.stx_size, bytes())));
}

int SharedFile::reserve(int mode, std::uint64_t offset_bytes, std::uint64_t length_bytes) noexcept {
  return uninterrupted([&] { return kernel_.fallocate(fd_, mode, offset_bytes, length_bytes); });
}

// Space first, length then: a full disk must leave the length as it was, and fallocate never makes
// a file shorter, whoever else has made it longer meanwhile.
int SharedFile::grow(std::uint64_t before_bytes, std::uint64_t after_bytes) {
  const std::uint64_t more_bytes = after_bytes - before_bytes;
  const int reserved = reserve(FALLOC_FL_KEEP_SIZE, before_bytes, more_bytes);
  int result = reserved == 0 ? reserve(0, before_bytes, more_bytes) : reserved;
  // This file system cannot reserve space; writing zeros past the end takes it all the same.
  if (result == -EOPNOTSUPP) result = write_zeros(before_bytes, more_bytes);
  if (result == 0) return 0;
  // Part of it may have been taken. It is given back, unless the length tells that somebody else
  // has begun to use it, because so far we have not changed that.
  const bool length_unchanged = reserved < 0 && reserved != -EOPNOTSUPP;
  if (length_unchanged && !check_length()) return result;
  // What cannot be given back leaves the file with a length that nobody asked for.
  if (uninterrupted([&] { return kernel_.ftruncate(fd_, before_bytes); }) < 0) poison();
  return result;
}

int SharedFile::write_zeros(std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  constexpr std::size_t chunk_bytes = 1U << 20;
  struct Aligned {
    alignas(page_bytes_max) std::byte bytes[chunk_bytes];
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
  if (auto good = check_length(); !good) return good;
  const std::uint64_t before_bytes = bytes();
  const std::uint64_t after_bytes = pages * geometry_.page_bytes;
  if (after_bytes < before_bytes) in_flight_.check_nothing_beyond(pages, path_);
  int result = 0;
  if (after_bytes > before_bytes) {
    result = grow(before_bytes, after_bytes);
  } else if (after_bytes < before_bytes) {
    pages_.store(pages, std::memory_order_release);  // first: nothing new may start out there
    result = uninterrupted([&] { return kernel_.ftruncate(fd_, after_bytes); });
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

}  // namespace pagealloc
