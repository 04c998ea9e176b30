// The simulated kernel: descriptors, names, memory; what moves bytes is in transfer.cpp.
#include "pagealloc/os/sim/kernel.h"

#include <fmt/format.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <thread>

#include "pagealloc/os/sim/host_memory.h"
#include "pagealloc/os/sim/inside.h"
#include "pagealloc/os/sim/ring.h"
#include "pagealloc/os/sim/workers.h"

namespace pagealloc::os::sim {

SimKernel::SimKernel(Machine machine)
    : machine_(std::move(machine)),
      streams_(machine_.seed),
      device_(machine_.model, streams_.schedule),
      tree_(machine_.image) {
  machine_.image = {};
}

SimKernel::SimKernel(Machine machine, const SimKernel& before)
    : machine_(std::move(machine)),
      streams_(machine_.seed),
      device_(machine_.model, streams_.schedule),
      tree_(before.tree_.survivor()) {}

SimKernel::~SimKernel() = default;

// --- What only tests can do ---------------------------------------------------------------------

Image SimKernel::cut(Tearing tearing, std::vector<Fate>* fates) {
  const bool everything = streams_.power.one_in(10);
  Image image;
  for (const auto& [path, inode] : tree_.cut(streams_.power, everything, fates)) {
    if (path == "/") continue;
    image.files[path] = inode->cut(streams_.power, tearing, everything, fates);
  }
  return image;
}

bool SimKernel::everything_durable() {
  return tree_.everything_durable() && std::ranges::all_of(tree_.inodes(), [](const auto& inode) {
           return inode->everything_durable();
         });
}

bool SimKernel::serves_what_was_lost() const {
  return std::ranges::any_of(tree_.inodes(),
                             [](const auto& inode) { return inode->told() && inode->differs(); });
}

void SimKernel::enumerate_tears(const std::function<void(const Image&)>& judge) {
  std::vector<Fate> unused;
  Image image;
  for (const auto& [path, inode] : tree_.names()) {
    if (path != "/") image.files[path] = inode->cut(streams_.power, Tearing::none, true, &unused);
  }
  for (const auto& [path, inode] : tree_.names()) {
    if (path == "/") continue;
    const FileImage whole = image.files[path];
    inode->enumerate_tears([&](const FileImage& torn) {
      image.files[path] = torn;
      judge(image);
    });
    image.files[path] = whole;
  }
}

void SimKernel::make(const std::string& path, FileKind kind, const std::string& target) {
  const std::lock_guard lock(mutex_);
  tree_.make(normal_path(path), kind)->set_target(target);
  tree_.sync_all();
}

void SimKernel::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  tree_.remove(normal_path(path));
  tree_.sync_all();
}

void SimKernel::make_unreadable(const std::string& path, std::uint64_t block) {
  const std::lock_guard lock(mutex_);
  tree_.names().at(normal_path(path))->make_unreadable(block);
}

void SimKernel::set_faults(const FaultRates& faults) {
  const std::lock_guard lock(mutex_);
  machine_.faults = faults;
}

DeviceCounts SimKernel::device_counts() const {
  const Lock lock(*this);
  return device_.counts();
}

std::uint64_t SimKernel::next_random() {
  return streams_.schedule.next() ^ streams_.faults.next() ^ streams_.write_back.next() ^
         streams_.power.next();
}

// --- Descriptors and names ----------------------------------------------------------------------

// An empty path names nothing (path_resolution(7)): without this it would be "/", as every other
// relative path begins there.
namespace {

bool is_empty(const char* path) { return path[0] == '\0'; }

}  // namespace

SimKernel::File SimKernel::file_of(int fd) {
  const auto index = static_cast<std::size_t>(fd - first_fd);
  return fd < first_fd || index >= files_.size() ? nullptr : files_[index];
}

int SimKernel::descriptor_for(OpenFile file) {
  // An error that nobody has been told of is the next opener's to hear (errseq_t).
  file.errors_seen = file.inode->errors() - (file.inode->told() ? 0 : 1);
  const auto free = std::ranges::find(files_, nullptr);
  const auto index = free - files_.begin();
  auto shared = std::make_shared<OpenFile>(std::move(file));
  if (free == files_.end()) {
    files_.push_back(std::move(shared));
  } else {
    *free = std::move(shared);
  }
  return first_fd + static_cast<int>(index);
}

int SimKernel::open(const char* given, int flags, unsigned) noexcept {
  Inside inside(*this, Call::open, given);
  if (is_empty(given)) return inside.result(-ENOENT);
  constexpr std::string_view by_descriptor = "/proc/self/fd/";
  const std::string_view text(given);
  if (text.starts_with(by_descriptor)) {
    int fd = -1;
    (void)std::from_chars(text.data() + by_descriptor.size(), text.data() + text.size(), fd);
    const File file = file_of(fd);
    if (file == nullptr) return inside.result(-ENOENT);
    return inside.result(descriptor_for({file->inode, file->path, flags}));
  }
  if (inside.fails(Fault::interrupted)) return inside.result(-EINTR);
  std::string path = normal_path(text);
  int why = 0;
  const bool exclusive = (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0;
  auto inode = tree_.find(path, !exclusive, why);
  if (inode != nullptr && exclusive) return inside.result(-EEXIST);
  if (inode == nullptr) {
    if (why != -ENOENT || (flags & O_CREAT) == 0) return inside.result(why);
    std::string directory = directory_of(path);
    const auto parent = tree_.find(directory, true, why);
    if (parent == nullptr) return inside.result(why);
    if (parent->kind() != FileKind::directory) return inside.result(-ENOTDIR);
    inode = tree_.make(path, FileKind::regular);
  }
  const bool directory = inode->kind() == FileKind::directory;
  if (directory && (flags & O_ACCMODE) != O_RDONLY) return inside.result(-EISDIR);
  if (!directory && (flags & O_DIRECTORY) != 0) return inside.result(-ENOTDIR);
  if ((flags & O_DIRECT) != 0 && machine_.refuses_direct) return inside.result(-EINVAL);
  if ((flags & O_TRUNC) != 0) inode->resize(0);
  inside.about(*inode, 0, 0);
  return inside.result(descriptor_for({std::move(inode), std::move(path), flags}));
}

int SimKernel::close(int fd) noexcept {
  Inside inside(*this, Call::close);
  if (file_of(fd) == nullptr) return inside.result(-EBADF);
  files_[static_cast<std::size_t>(fd - first_fd)] = nullptr;
  return inside.result(0);
}

int SimKernel::unlink(const char* given) noexcept {
  Inside inside(*this, Call::unlink, given);
  if (is_empty(given)) return inside.result(-ENOENT);
  std::string path = normal_path(given);
  int why = 0;
  const auto inode = tree_.find(path, false, why);
  if (inode == nullptr) return inside.result(why);
  if (inode->kind() == FileKind::directory) return inside.result(-EISDIR);
  tree_.remove(path);
  return inside.result(0);
}

std::int64_t SimKernel::readlink(const char* given, char* target, std::size_t bytes) noexcept {
  Inside inside(*this, Call::readlink, given);
  if (is_empty(given)) return inside.result(-ENOENT);
  std::string path = normal_path(given);
  int why = 0;
  const auto inode = tree_.find(path, false, why);
  if (inode == nullptr) return inside.result(why);
  if (inode->kind() != FileKind::link) return inside.result(-EINVAL);
  const std::size_t count = std::min(bytes, inode->target().size());
  std::memcpy(target, inode->target().data(), count);
  return inside.result(static_cast<std::int64_t>(count));
}

namespace {

std::uint16_t mode_of(FileKind kind) {
  switch (kind) {
    case FileKind::directory:
      return S_IFDIR | 0755;
    case FileKind::link:
      return S_IFLNK | 0777;
    case FileKind::fifo:
      return S_IFIFO | 0644;
    case FileKind::regular:
      break;
  }
  return S_IFREG | 0644;
}

}  // namespace

int SimKernel::statx(int dirfd, const char* given, int flags, unsigned mask,
                     struct statx* out) noexcept {
  Inside inside(*this, Call::statx, given);
  std::shared_ptr<Inode> inode;
  int why = -EBADF;
  if (is_empty(given) && (flags & AT_EMPTY_PATH) != 0) {
    if (const File file = file_of(dirfd)) inode = file->inode;
  } else if (is_empty(given)) {
    why = -ENOENT;
  } else {
    std::string path = normal_path(given);
    inode = tree_.find(path, (flags & AT_SYMLINK_NOFOLLOW) == 0, why);
  }
  if (inode == nullptr) return inside.result(why);
  *out = {};
  out->stx_mask = STATX_BASIC_STATS | (mask & STATX_DIOALIGN);
  out->stx_mode = mode_of(inode->kind());
  out->stx_ino = inode->number();
  out->stx_nlink = 1;
  out->stx_size = inode->bytes();
  out->stx_blksize = block_bytes;
  out->stx_blocks = inode->allocated_bytes() / sector_bytes;
  out->stx_dio_mem_align = machine_.align_bytes;
  out->stx_dio_offset_align = machine_.align_bytes;
  return inside.result(0);
}

namespace {

/// FS_IOC_FIEMAP: what the file has blocks for, from the first byte asked for on
/// (the kernel's Documentation/filesystems/fiemap.rst).
int map_extents(const Inode& inode, void* argument) {
  fiemap request{};
  std::memcpy(&request, argument, sizeof request);
  auto* const extents = static_cast<std::byte*>(argument) + sizeof request;
  request.fm_mapped_extents = 0;
  const std::uint64_t asked_end = request.fm_start + request.fm_length;
  const std::uint64_t end = std::min(inode.bytes(), asked_end);
  for (std::uint64_t at = request.fm_start / block_bytes * block_bytes; at < end;) {
    fiemap_extent extent{};
    extent.fe_logical = at;
    while (at < end && inode.allocated(at / block_bytes)) at += block_bytes;
    extent.fe_length = at - extent.fe_logical;
    while (at < end && !inode.allocated(at / block_bytes)) at += block_bytes;
    if (extent.fe_length == 0) continue;
    if (request.fm_mapped_extents == request.fm_extent_count) break;
    std::memcpy(extents + request.fm_mapped_extents++ * sizeof extent, &extent, sizeof extent);
  }
  std::memcpy(argument, &request, sizeof request);
  return 0;
}

}  // namespace

int SimKernel::ioctl(int fd, unsigned long request, void* argument) noexcept {
  Inside inside(*this, Call::ioctl);
  const File file = file_of(fd);
  if (file == nullptr) return inside.result(-EBADF);
  if (request == FS_IOC_FIEMAP) return inside.result(map_extents(*file->inode, argument));
  if (request != FIGETBSZ) return inside.result(-ENOTTY);
  constexpr int block = static_cast<int>(block_bytes);
  std::memcpy(argument, &block, sizeof block);
  return inside.result(0);
}

// --- Memory -------------------------------------------------------------------------------------

std::expected<void*, int> SimKernel::mmap(void* address, std::size_t bytes, int protection,
                                          int flags, int fd, std::uint64_t offset) noexcept {
  Inside inside(*this, Call::mmap);
  Kernel& host = linux_kernel();
  if ((flags & MAP_ANONYMOUS) != 0) {
    if (address != nullptr || protection != (PROT_READ | PROT_WRITE)) {
      return host.mmap(address, bytes, protection, flags, fd, offset);
    }
    std::byte* const memory = HostMemory::mine().take(bytes);
    if (memory == nullptr) return std::unexpected(inside.result(-ENOMEM));
    anonymous_[memory] = bytes;
    return memory;
  }
  const File file = file_of(fd);
  if (file == nullptr) return std::unexpected(inside.result(-EBADF));
  const int host_fd = file->inode->content().share();
  if (host_fd < 0) return std::unexpected(inside.result(host_fd));
  const auto map = host.mmap(address, bytes, protection, flags, host_fd, offset);
  if (!map) return map;
  const bool writable = (protection & PROT_WRITE) != 0 && (flags & MAP_SHARED) != 0;
  if (writable) file->inode->map_writable();
  mappings_.push_back({static_cast<std::byte*>(*map), bytes, file, writable});
  return map;
}

int SimKernel::munmap(void* address, std::size_t bytes) noexcept {
  Inside inside(*this, Call::munmap);
  const auto found =
      std::ranges::find(mappings_, static_cast<std::byte*>(address), &Mapping::address);
  if (found != mappings_.end()) {
    if (found->writable) found->file->inode->unmap_writable();
    mappings_.erase(found);
  }
  const auto own = anonymous_.find(static_cast<std::byte*>(address));
  if (own != anonymous_.end() && own->second == bytes) {
    HostMemory::mine().give(own->first, bytes);
    anonymous_.erase(own);
    return inside.result(0);
  }
  return inside.result(linux_kernel().munmap(address, bytes));
}

int SimKernel::madvise(void* address, std::size_t bytes, int advice) noexcept {
  Inside inside(*this, Call::madvise);
  for (Mapping& mapping : mappings_) {
    const bool all = mapping.address == address && bytes >= mapping.file->inode->bytes();
    if (all && advice == MADV_DONTNEED) mapping.touched = false;
  }
  return inside.result(linux_kernel().madvise(address, bytes, advice));
}

int SimKernel::guard(void* address, std::size_t bytes, MapFaults* faults) noexcept {
  return linux_kernel().guard(address, bytes, faults);
}

void SimKernel::unguard(void* address) noexcept { linux_kernel().unguard(address); }

// --- Threads, rings, counters -------------------------------------------------------------------

std::expected<std::unique_ptr<Ring>, int> SimKernel::io_uring_setup(unsigned entries,
                                                                    unsigned flags) noexcept {
  Inside inside(*this, Call::io_uring_setup);
  if (machine_.refuses_ring) return std::unexpected(inside.result(-EPERM));
  return std::make_unique<SimRing>(*this, entries, flags);
}

std::unique_ptr<Workers> SimKernel::start(Background& work, unsigned threads) noexcept {
  return std::make_unique<SimWorkers>(*this, work, threads);
}

void SimKernel::wait(const std::atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
  const auto changed = [&] { return word.load(std::memory_order_acquire) != value; };
  if (Fiber::current() != nullptr) return scheduler_.wait_until(changed);
  // Another thread of the host may be the one that will change it, so there is no deadlock to find.
  while (!changed()) {
    {
      const Lock lock(*this);
      (void)scheduler_.step();
    }
    std::this_thread::yield();
  }
}

void SimKernel::wake_all(std::atomic<std::uint32_t>&) noexcept {
  const Lock lock(*this);
  scheduler_.nudge();
}

std::uint64_t SimKernel::now_ns() noexcept {
  const Lock lock(*this);
  return scheduler_.now_ns();
}

CallCounts SimKernel::calls() const noexcept {
  const Lock lock(*this);
  return counts_;
}

}  // namespace pagealloc::os::sim
