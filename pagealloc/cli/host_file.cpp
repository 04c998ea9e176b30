#include "pagealloc/cli/host_file.h"

#include <fmt/format.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "pagealloc/cli/common.h"
#include "pagealloc/os/host.h"
#include "pagealloc/os/sim/inode.h"
#include "pagealloc/os/sim/tree.h"
#include "pagealloc/uninterrupted.h"

namespace pagealloc::cli {

namespace {

using os::sim::block_bytes;
using os::sim::FileImage;
using os::sim::FileKind;

constexpr std::uint64_t transfer_bytes_max = 1ULL << 20;

Error failed(const std::string& path, std::string cause, std::int64_t result) {
  const int os_error = static_cast<int>(-result);
  return error_at(path, errc_of_io(os_error), std::move(cause), os_error);
}

Result<FileKind> kind_of(const std::string& path, unsigned mode) {
  if (S_ISREG(mode)) return FileKind::regular;
  if (S_ISDIR(mode)) return FileKind::directory;
  if (S_ISFIFO(mode)) return FileKind::fifo;
  return std::unexpected(error_at(path, Errc::not_available,
                                  S_ISLNK(mode) ? "not available here: a symbolic link is not "
                                                  "followed into a simulated machine"
                                                : "not available here: this is no file that can be "
                                                  "copied into a simulated machine"));
}

/// The directories on the way to the file, as far as the host has them.
void add_directories(os::sim::Image& image, const std::string& path) {
  std::filesystem::path at = std::filesystem::path(path).parent_path();
  for (; !at.empty() && at != at.parent_path(); at = at.parent_path()) {
    struct statx found{};
    const std::string inside = os::sim::normal_path(at.string());
    if (inside == "/" || os::linux_kernel().statx(AT_FDCWD, at.c_str(), 0, STATX_TYPE, &found) < 0)
      continue;
    const bool directory = S_ISDIR(found.stx_mode);
    image.files[inside].kind = directory ? FileKind::directory : FileKind::regular;
  }
}

/// Has the host a block for this one? Where the file system does not tell, it has.
bool has_block(int fd, std::uint64_t block) {
  struct fiemap extents{};  // no room for extents: only their number is asked for
  extents.fm_start = block * block_bytes;
  extents.fm_length = block_bytes;
  const int result = os::linux_kernel().ioctl(fd, FS_IOC_FIEMAP, &extents);
  return result < 0 || extents.fm_mapped_extents > 0;
}

Result<FileImage> read_host(const std::string& path) {
  const auto file = Descriptor::open(path, O_RDONLY | O_NONBLOCK);
  if (!file) return std::unexpected(file.error());
  const auto now = file->status(STATX_SIZE | STATX_BLOCKS);
  if (!now) return std::unexpected(now.error());
  FileImage image;
  image.bytes.resize(now->stx_size);
  for (std::uint64_t done = 0; done < image.bytes.size();) {
    const iovec iov{image.bytes.data() + done,
                    std::min(transfer_bytes_max, image.bytes.size() - done)};
    const std::int64_t got =
        uninterrupted([&] { return os::linux_kernel().preadv(file->fd(), &iov, 1, done); });
    if (got < 0) return std::unexpected(failed(path, "cannot read", got));
    if (got == 0) {
      return std::unexpected(error_at(path, Errc::truncated, "the file was made shorter"));
    }
    done += static_cast<std::uint64_t>(got);
  }
  image.allocated.assign((image.bytes.size() + block_bytes - 1) / block_bytes, true);
  constexpr std::uint64_t stat_block_bytes = 512;  // whatever the file system's own are (statx(2))
  if (now->stx_blocks * stat_block_bytes >= now->stx_size) return image;
  for (std::uint64_t block = 0; block < image.allocated.size(); ++block) {
    image.allocated[block] = has_block(file->fd(), block);
  }
  return image;
}

/// All that is no hole.
Result<void> fill(const std::string& path, int fd, const FileImage& image) {
  os::Kernel& host = os::linux_kernel();
  const std::uint64_t bytes = image.bytes.size();
  if (const int sized = uninterrupted([&] { return host.ftruncate(fd, bytes); }); sized < 0) {
    return std::unexpected(failed(path, "cannot make a file of its length", sized));
  }
  for (std::uint64_t at = 0; at < bytes;) {
    if (at % block_bytes == 0 && !image.allocated[at / block_bytes]) {
      at += block_bytes;
      continue;
    }
    const std::uint64_t block_end = (at / block_bytes + 1) * block_bytes;
    iovec iov{const_cast<std::byte*>(image.bytes.data()) + at, std::min(block_end, bytes) - at};
    const std::int64_t written = uninterrupted([&] { return host.pwritev(fd, &iov, 1, at); });
    if (written <= 0) return std::unexpected(failed(path, "cannot write", written));
    at += static_cast<std::uint64_t>(written);
  }
  return {};
}

Result<void> sync_directory_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const auto directory = Descriptor::open(parent.empty() ? "." : parent, O_RDONLY | O_DIRECTORY);
  if (!directory) return std::unexpected(directory.error());
  const int result = uninterrupted([&] { return os::linux_kernel().fsync(directory->fd()); });
  if (result == 0) return {};
  return std::unexpected(failed(path, "cannot make its name durable", result));
}

/// A complete and durable file of another name, with the old one's permissions where there is one.
Result<void> make_new(const std::string& path, const std::string& name, const FileImage& image,
                      const Descriptor* old) {
  os::Kernel& host = os::linux_kernel();
  const auto file = Descriptor::open(name, O_WRONLY | O_CREAT | O_EXCL, 0666);
  if (!file) return std::unexpected(file.error());
  if (old != nullptr) {
    const auto like = old->status(STATX_MODE);
    if (!like) return std::unexpected(like.error());
    if (const int set = os::fchmod(file->fd(), like->stx_mode & 07777U); set < 0) {
      return std::unexpected(failed(path, "cannot keep its permissions", set));
    }
  }
  if (auto filled = fill(path, file->fd(), image); !filled) return filled;
  const int synced = uninterrupted([&] { return host.fsync(file->fd()); });
  if (synced == 0) return {};
  return std::unexpected(failed(path, "cannot sync", synced));
}

Result<void> replace(const std::string& path, bool exists_already, const FileImage& image) {
  // A file that may not be written is not replaced either, though its directory might allow that.
  std::optional<Descriptor> old;
  if (exists_already) {
    auto opened = Descriptor::open(path, O_WRONLY | O_NONBLOCK);
    if (!opened) return std::unexpected(opened.error());
    old.emplace(std::move(*opened));
  }
  os::Kernel& host = os::linux_kernel();
  const std::string name = fmt::format("{}.{:x}.new", path, host.now_ns());
  auto made = make_new(path, name, image, old ? &*old : nullptr);
  if (made) {
    if (const int result = os::rename(name.c_str(), path.c_str()); result < 0) {
      made = std::unexpected(failed(path, "cannot replace it", result));
    }
  }
  if (made) return sync_directory_of(path);
  (void)host.unlink(name.c_str());  // there is an error to tell of already
  return made;
}

}  // namespace

Result<os::sim::Image> image_of_host(const std::string& path) {
  os::sim::Image image;
  add_directories(image, path);
  struct statx found{};
  const int result =
      os::linux_kernel().statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &found);
  if (result == -ENOENT || result == -ENOTDIR) return image;
  if (result < 0) {
    return std::unexpected(error_at(path, errc_of_open(-result), "cannot open", -result));
  }
  const auto kind = kind_of(path, found.stx_mode);
  if (!kind) return std::unexpected(kind.error());
  const std::string inside = os::sim::normal_path(path);
  if (inside == "/") return image;
  FileImage file;
  if (*kind == FileKind::regular) {
    auto read = read_host(path);
    if (!read) return std::unexpected(read.error());
    file = std::move(*read);
  }
  file.kind = *kind;
  image.files[inside] = std::move(file);
  return image;
}

bool same_content(const FileImage& a, const FileImage& b) {
  return a.kind == b.kind && a.bytes == b.bytes && a.allocated == b.allocated;
}

Result<void> put_on_host(const std::string& path, const std::optional<FileImage>& before,
                         const std::optional<FileImage>& after) {
  if (before && after && same_content(*before, *after)) return {};
  if (after) return replace(path, before.has_value(), *after);
  if (!before) return {};
  if (const int result = os::linux_kernel().unlink(path.c_str()); result < 0) {
    return std::unexpected(failed(path, "cannot remove it", result));
  }
  return sync_directory_of(path);
}

}  // namespace pagealloc::cli
