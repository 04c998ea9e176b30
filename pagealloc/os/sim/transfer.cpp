// The calls of the simulated kernel that move bytes, and what a ring shares with them: each is
// started, takes its time, and then is finished.
#include <linux/falloc.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "pagealloc/os/sim/inside.h"

namespace pagealloc::os::sim {

namespace {

constexpr std::uint64_t call_ns = 300;
constexpr std::uint64_t copy_bytes_per_us = 8000;

std::uint64_t copy_ns(std::uint64_t bytes) { return bytes * 1000 / copy_bytes_per_us; }

std::uint64_t length_of(const iovec* iov, int count) {
  std::uint64_t bytes = 0;
  for (int i = 0; i < count; ++i) bytes += iov[i].iov_len;
  return bytes;
}

}  // namespace

SimKernel::Inside::Inside(SimKernel& kernel, Call call, std::string_view path)
    : kernel_(kernel), lock_(kernel) {
  ++kernel_.counts_.of[static_cast<std::size_t>(call)];
  event_ = {.begun_ns = kernel_.scheduler_.now_ns(),
            .ended_ns = 0,
            .what = call_names[static_cast<std::size_t>(call)],
            .inode = 0,
            .offset = path.size(),
            .bytes = 0,
            .result = 0};
  kernel_.write_back_some();
  kernel_.damage_some();
  kernel_.maybe_cut();
  kernel_.under_way_.push_back(&event_);
}

SimKernel::Inside::~Inside() {
  event_.ended_ns = kernel_.scheduler_.now_ns();
  kernel_.trace_.note(event_);
  std::erase(kernel_.under_way_, &event_);
}

void SimKernel::Inside::about(const Inode& inode, std::uint64_t offset, std::uint64_t bytes) {
  event_.inode = inode.number();
  event_.offset = offset;
  event_.bytes = bytes;
}

bool SimKernel::fails(Fault fault) {
  if (!streams_.faults.one_in(machine_.faults[fault])) return false;
  ++fault_log_[fault];
  return true;
}

/// How much of a transfer is done: all of it, but for the fault that makes it short. Past the page
/// cache whole sectors are moved, through it any number of bytes.
std::uint64_t SimKernel::shortened(const OpenFile& file, std::uint64_t bytes) {
  const std::uint64_t piece = (file.flags & O_DIRECT) != 0 ? machine_.align_bytes : 1;
  if (bytes < 2 * piece || !fails(Fault::short_transfer)) return bytes;
  return piece * (1 + streams_.faults.below(bytes / piece - 1));
}

Mishap SimKernel::mishap() {
  if (fails(Fault::lost_write)) return Mishap::lost;
  return fails(Fault::misdirected) ? Mishap::misdirected : Mishap::none;
}

/// A dirty block goes to the device. False: that failed, which the next sync will tell.
bool SimKernel::write_back(Inode& inode, std::uint64_t block) {
  if (fails(Fault::sync_error)) {
    inode.fail_write_back(block, machine_.faults.revert_after_error);
    inode.note_error();
    return false;
  }
  inode.write_back(block, mishap());
  return true;
}

/// The medium goes bad by itself, where there is something on it.
void SimKernel::damage_some() {
  if (machine_.faults[Fault::rot] + machine_.faults[Fault::unreadable] == 0) return;
  for (const auto& inode : tree_.inodes()) {
    if (inode->kind() != FileKind::regular || inode->bytes_on_medium() == 0) continue;
    // Once: of two the first may damage what would have told of the second.
    if (fault_log_[Fault::rot] == 0 && fails(Fault::rot)) inode->rot(streams_.faults);
    if (fails(Fault::unreadable)) {
      inode->make_unreadable(streams_.faults.below(blocks_of(inode->bytes_on_medium())));
    }
  }
}

/// The kernel writes back what it likes, when it likes.
void SimKernel::write_back_some() {
  if (!streams_.write_back.one_in(machine_.faults.write_back_one_in)) return;
  for (const auto& inode : tree_.inodes()) {
    inode->collect_stores();
    const auto dirty = inode->dirty_blocks();
    if (dirty.empty() || !streams_.write_back.one_in(2)) continue;
    (void)write_back(*inode, dirty[streams_.write_back.below(dirty.size())]);
    ++fault_log_.write_backs;
  }
}

bool SimKernel::aligned(const OpenFile& file, const iovec* iov, int count,
                        std::uint64_t offset) const {
  if ((file.flags & O_DIRECT) == 0) return true;
  std::uint64_t all = offset;
  for (int i = 0; i < count; ++i) {
    all |= iov[i].iov_len | reinterpret_cast<std::uintptr_t>(iov[i].iov_base);
  }
  return all % machine_.align_bytes == 0;
}

std::uint64_t SimKernel::free_bytes() const {
  std::uint64_t used = 0;
  for (const auto& inode : tree_.inodes()) used += inode->allocated_bytes();
  return used < machine_.capacity_bytes ? machine_.capacity_bytes - used : 0;
}

std::int64_t SimKernel::finish(const Started& started) {
  scheduler_.sleep_until(started.done_ns);
  if (started.finish) started.finish();
  return started.result;
}

// --- Reading ------------------------------------------------------------------------------------

SimKernel::Started SimKernel::start_read(OpenFile& file, const iovec* iov, int count,
                                         std::uint64_t offset) {
  const std::uint64_t now_ns = scheduler_.now_ns() + call_ns;
  const bool fits = aligned(file, iov, count, offset);
  const bool refused = !fits && !machine_.buffers_misaligned;
  if (refused || count > IOV_MAX) return {-EINVAL, now_ns};
  if (fails(Fault::interrupted)) return {-EINTR, now_ns};
  const auto inode = file.inode;
  std::uint64_t bytes = length_of(iov, count);
  bytes = offset < inode->bytes() ? std::min(bytes, inode->bytes() - offset) : 0;
  bytes = shortened(file, bytes);
  const bool direct = (file.flags & O_DIRECT) != 0 && fits;
  std::uint64_t missing_bytes = direct ? bytes : 0;
  bool readable = !direct || inode->readable(offset, bytes);
  for (std::uint64_t at = offset; !direct && at < offset + bytes; at += block_bytes) {
    if (inode->resident(at / block_bytes)) continue;
    missing_bytes += block_bytes;
    readable = readable && inode->readable(at, 1);
  }
  if (direct) inode->pass_cache();
  std::uint64_t done_ns = now_ns + (direct ? 0 : copy_ns(bytes));
  if (missing_bytes > 0) {
    if (!readable || fails(Fault::read_error)) return {-EIO, now_ns};
    done_ns += device_.done_at(Transfer::read, missing_bytes, now_ns) - now_ns;
  }
  const std::vector<iovec> to(iov, iov + count);
  // Until it has come back the memory is the kernel's: who reads it earlier finds anything.
  for (const iovec& part : to) std::memset(part.iov_base, 0xDB, part.iov_len);
  return {static_cast<std::int64_t>(bytes), done_ns, [inode, to, offset, bytes, direct] {
            std::uint64_t left = bytes;
            std::uint64_t at = offset;
            for (const iovec& part : to) {
              const std::size_t want = std::min<std::uint64_t>(part.iov_len, left);
              const std::size_t got =
                  inode->read(at, {static_cast<std::byte*>(part.iov_base), want});
              at += got;
              left -= got;
            }
            if (!direct) inode->set_resident(offset, bytes);
          }};
}

std::int64_t SimKernel::preadv(int fd, const iovec* iov, int count, std::uint64_t offset) noexcept {
  Inside inside(*this, Call::preadv);
  const File file = file_of(fd);
  if (file == nullptr) return inside.result(-EBADF);
  inside.about(*file->inode, offset, length_of(iov, count));
  return inside.result(finish(start_read(*file, iov, count, offset)));
}

// --- Writing ------------------------------------------------------------------------------------

SimKernel::Started SimKernel::start_write(OpenFile& file, const iovec* iov, int count,
                                          std::uint64_t offset) {
  const std::uint64_t now_ns = scheduler_.now_ns() + call_ns;
  if ((file.flags & O_ACCMODE) == O_RDONLY) return {-EBADF, now_ns};
  const bool fits = aligned(file, iov, count, offset);
  const bool refused = !fits && !machine_.buffers_misaligned;
  if (refused || count > IOV_MAX) return {-EINVAL, now_ns};
  if (fails(Fault::interrupted)) return {-EINTR, now_ns};
  const auto inode = file.inode;
  inode->collect_stores();
  std::vector<std::byte> bytes;
  for (int i = 0; i < count; ++i) {
    const auto* from = static_cast<const std::byte*>(iov[i].iov_base);
    bytes.insert(bytes.end(), from, from + iov[i].iov_len);
  }
  const auto asked = static_cast<std::int64_t>(bytes.size());
  bytes.resize(shortened(file, bytes.size()));
  const bool full = inode->holes(offset, bytes.size()) > free_bytes();
  if (full || fails(Fault::disk_full)) return {-ENOSPC, now_ns};
  const auto moved = static_cast<std::int64_t>(bytes.size());
  Started started{moved, now_ns + copy_ns(bytes.size())};
  if ((file.flags & O_DIRECT) != 0 && fits) {
    started = start_direct_write(*inode, offset, bytes, {iov, iov + count});
  } else {
    inode->write(offset, bytes);
  }
  if (started.result > 0 && machine_.faults.short_looks_whole) started.result = asked;
  return started;
}

SimKernel::Started SimKernel::start_direct_write(Inode& inode, std::uint64_t offset,
                                                 std::span<const std::byte> bytes,
                                                 std::vector<iovec> from) {
  const std::uint64_t now_ns = scheduler_.now_ns() + call_ns;
  std::int64_t result = static_cast<std::int64_t>(bytes.size());
  if (fails(Fault::write_error)) {  // a part of it may have arrived
    bytes = bytes.first(streams_.faults.below(bytes.size() / sector_bytes + 1) * sector_bytes);
    result = -EIO;
    if (bytes.empty()) return {result, now_ns};
  }
  const std::uint64_t done_ns = device_.done_at(Transfer::write, bytes.size(), now_ns);
  const std::uint64_t ticket = inode.begin_direct(offset, bytes, mishap());
  // The device takes the bytes while the operation lasts: memory that was used again too early is
  // written as it is by then.
  return {result, done_ns, [kept = inode.shared_from_this(), ticket, memory = std::move(from)] {
            kept->take_bytes(ticket, memory);
            kept->complete(ticket);
          }};
}

std::int64_t SimKernel::pwritev(int fd, const iovec* iov, int count,
                                std::uint64_t offset) noexcept {
  Inside inside(*this, Call::pwritev);
  const File file = file_of(fd);
  if (file == nullptr) return inside.result(-EBADF);
  inside.about(*file->inode, offset, length_of(iov, count));
  const std::int64_t moved = finish(start_write(*file, iov, count, offset));
  if ((file->flags & O_DSYNC) != 0) maybe_cut();  // written, and not yet synced
  if (moved <= 0 || (file->flags & O_DSYNC) == 0) return inside.result(moved);
  const auto bytes = static_cast<std::uint64_t>(moved);
  const std::int64_t synced = finish(start_sync(*file, {offset, bytes}));
  return inside.result(synced < 0 ? synced : moved);
}

// --- Syncing ------------------------------------------------------------------------------------

SimKernel::Started SimKernel::start_sync(OpenFile& file, Range range) {
  const std::uint64_t now_ns = scheduler_.now_ns() + call_ns;
  if (fails(Fault::interrupted)) return {-EINTR, now_ns};
  const auto inode = file.inode;
  inode->collect_stores();
  for (const std::uint64_t block : inode->dirty_blocks()) {
    if (!range.covers(block)) continue;
    if (write_back(*inode, block)) (void)device_.done_at(Transfer::write, block_bytes, now_ns);
  }
  std::int64_t result = 0;
  if (file.errors_seen != inode->errors()) {
    file.errors_seen = inode->errors();
    inode->note_told();
    result = -EIO;
  }
  if (result == 0 && fails(Fault::flush_error)) {
    result = -EIO;
    const bool forgets = streams_.faults.one_in(2);
    for (const auto& other : tree_.inodes()) {
      if (forgets) other->lose_device_cache(streams_.faults);
    }
  }
  if (result == -EIO) return {result, now_ns + machine_.model.flush_ns};
  if (fails(Fault::lying_flush)) return {result, now_ns + machine_.model.flush_ns};
  // A flush is the device's: it covers every file's bytes. The journal is this file's alone.
  std::vector<std::pair<std::shared_ptr<Inode>, std::uint64_t>> covered;
  for (const auto& other : tree_.inodes()) {
    covered.emplace_back(other, other->begin_flush(other == inode));
  }
  return {result, device_.flushed_at(now_ns), [this, covered, inode, now_ns] {
            for (const auto& [other, number] : covered) {
              note_flushed(now_ns, *other, other->end_flush(number, other == inode));
            }
          }};
}

void SimKernel::note_flushed(std::uint64_t begun_ns, const Inode& inode, std::uint64_t bytes) {
  if (bytes == 0) return;
  trace_.note({.begun_ns = begun_ns,
               .ended_ns = scheduler_.now_ns(),
               .what = "durable",
               .inode = inode.number(),
               .offset = 0,
               .bytes = bytes,
               .result = 0});
}

/// Of a directory both make the names durable that were there when they began.
int SimKernel::sync_whole(Inside& inside, int fd) {
  const File file = file_of(fd);
  if (file == nullptr) return inside.result(-EBADF);
  inside.about(*file->inode, 0, 0);
  const std::uint64_t changes = tree_.changes();
  const auto result = static_cast<int>(finish(start_sync(*file, {})));
  const bool directory = file->inode->kind() == FileKind::directory;
  if (result == 0 && directory) tree_.sync(file->path, changes);
  return inside.result(result);
}

int SimKernel::fdatasync(int fd) noexcept {
  Inside inside(*this, Call::fdatasync);
  return sync_whole(inside, fd);
}

int SimKernel::fsync(int fd) noexcept {
  Inside inside(*this, Call::fsync);
  return sync_whole(inside, fd);
}

int SimKernel::syncfs(int fd) noexcept {
  Inside inside(*this, Call::syncfs);
  if (file_of(fd) == nullptr) return inside.result(-EBADF);
  int result = 0;
  for (const auto& inode : tree_.inodes()) {
    OpenFile file{inode, {}, O_RDONLY, inode->errors()};
    result = std::min(result, static_cast<int>(finish(start_sync(file, {}))));
  }
  if (result == 0) tree_.sync_all();
  return inside.result(result);
}

int SimKernel::msync(void* address, std::size_t bytes, int flags) noexcept {
  Inside inside(*this, Call::msync);
  if (bytes == 0) return inside.result(0);  // before anything is looked for, as on Linux
  const auto* const at = static_cast<const std::byte*>(address);
  const auto found = std::ranges::find_if(mappings_, [&](const Mapping& mapping) {
    return at >= mapping.address && at + bytes <= mapping.address + mapping.bytes;
  });
  if (found == mappings_.end()) return inside.result(-ENOMEM);
  const File file = found->file;  // told of errors through the map or the descriptor, not twice
  const auto offset = static_cast<std::uint64_t>(at - found->address);  // maps begin at the start
  inside.about(*file->inode, offset, bytes);
  if ((flags & MS_SYNC) == 0) return inside.result(0);  // MS_ASYNC does nothing at all on Linux
  return inside.result(static_cast<int>(finish(start_sync(*file, {offset, bytes}))));
}

// --- Length and space ---------------------------------------------------------------------------

int SimKernel::ftruncate(int fd, std::uint64_t bytes) noexcept {
  Inside inside(*this, Call::ftruncate);
  const File file = file_of(fd);
  if (file == nullptr) return inside.result(-EBADF);
  inside.about(*file->inode, 0, bytes);
  if (fails(Fault::interrupted)) return inside.result(-EINTR);
  file->inode->resize(bytes);
  return inside.result(0);
}

SimKernel::Started SimKernel::start_fallocate(OpenFile& file, int mode, std::uint64_t offset,
                                              std::uint64_t bytes) {
  const std::uint64_t now_ns = scheduler_.now_ns() + call_ns;
  if (fails(Fault::interrupted)) return {-EINTR, now_ns};
  Inode& inode = *file.inode;
  if (mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)) {
    inode.punch(offset, bytes);
    return {0, now_ns};
  }
  if (mode != 0 && mode != FALLOC_FL_KEEP_SIZE) return {-EOPNOTSUPP, now_ns};
  const bool full = inode.holes(offset, bytes) > free_bytes();
  if (full || fails(Fault::disk_full)) return {-ENOSPC, now_ns};
  if (mode == 0 && offset + bytes > inode.bytes()) inode.resize(offset + bytes);
  inode.allocate(offset, bytes);
  return {0, now_ns};
}

int SimKernel::fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t bytes) noexcept {
  Inside inside(*this, Call::fallocate);
  const File file = file_of(fd);
  if (file == nullptr) return inside.result(-EBADF);
  inside.about(*file->inode, offset, bytes);
  return inside.result(static_cast<int>(finish(start_fallocate(*file, mode, offset, bytes))));
}

int SimKernel::fadvise(int fd, std::uint64_t, std::uint64_t, int advice) noexcept {
  Inside inside(*this, Call::fadvise);
  const File file = file_of(fd);
  if (file == nullptr) return inside.result(-EBADF);
  // What somebody has mapped, and touched since, stays, as it does on Linux.
  const bool mapped = std::ranges::any_of(mappings_, [&](const Mapping& mapping) {
    return mapping.file->inode == file->inode && mapping.touched;
  });
  if (advice == POSIX_FADV_DONTNEED && !mapped) file->inode->evict();
  return inside.result(0);
}

}  // namespace pagealloc::os::sim
