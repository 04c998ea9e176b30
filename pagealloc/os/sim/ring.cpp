#include "pagealloc/os/sim/ring.h"

#include <algorithm>
#include <cerrno>
#include <climits>

#include "pagealloc/os/sim/inside.h"

namespace pagealloc::os::sim {

SimRing::~SimRing() {
  const SimKernel::Lock lock(kernel_);
  kernel_.scheduler_.wait_until([this] { return under_way_ == 0; });
}

int SimRing::register_buffers(std::span<const iovec> buffers) noexcept {
  SimKernel::Inside inside(kernel_, Call::io_uring_register);
  std::uint64_t bytes = 0;
  for (const iovec& buffer : buffers) bytes += buffer.iov_len;
  if (bytes > kernel_.machine_.memlock_bytes) return inside.result(-ENOMEM);
  buffers_.assign(buffers.begin(), buffers.end());
  return inside.result(0);
}

int SimRing::register_files(std::span<const int> files) noexcept {
  SimKernel::Inside inside(kernel_, Call::io_uring_register);
  files_.clear();
  for (const int fd : files) files_.push_back(kernel_.file_of(fd));
  return inside.result(std::ranges::find(files_, nullptr) == files_.end() ? 0 : -EBADF);
}

int SimRing::enable() noexcept {
  SimKernel::Inside inside(kernel_, Call::io_uring_register);
  enabled_ = true;
  issuer_ = this_thread();
  return inside.result(0);
}

SimRing::Thread SimRing::this_thread() {
  const Fiber* const fiber = Fiber::current();
  if (fiber != nullptr) return {.fiber = fiber, .id = {}};  // whichever thread it is lent to
  return {.fiber = nullptr, .id = std::this_thread::get_id()};
}

io_uring_sqe* SimRing::get_sqe() noexcept {
  if (queue_.size() == entries_) return nullptr;
  return &queue_.emplace_back();
}

int SimRing::enter(unsigned wait_for) noexcept {
  SimKernel::Inside inside(kernel_, Call::io_uring_enter);
  if (!enabled_) return inside.result(-EBADFD);
  const bool single = (flags_ & IORING_SETUP_SINGLE_ISSUER) != 0;
  if (single && issuer_ != this_thread()) return inside.result(-EEXIST);
  const auto submitted = static_cast<int>(queue_.size());
  for (const io_uring_sqe& sqe : queue_) begin(take(sqe));
  queue_.clear();
  constexpr std::uint64_t call_ns = 300;  // also of one that waits for nothing, or it never would
  kernel_.scheduler_.sleep(call_ns);
  // As the kernel does: who waits for more than can come waits for ever, which is a deadlock here.
  kernel_.scheduler_.wait_until([&] { return completions_.size() >= wait_for; });
  return inside.result(submitted);
}

unsigned SimRing::drain(std::span<io_uring_cqe> done) noexcept {
  const SimKernel::Lock lock(kernel_);
  unsigned drained = 0;
  while (drained < done.size() && !completions_.empty()) {
    const Done& first = completions_.front();
    done[drained].user_data = first.entry->sqe.user_data;
    done[drained].res = first.result;
    done[drained].flags = 0;
    note("reaped", *first.entry, first.result);
    ++drained;
    completions_.pop_front();
  }
  return drained;
}

const char* event_of(unsigned opcode) noexcept {
  switch (opcode) {
    case IORING_OP_READ:
    case IORING_OP_READ_FIXED:
    case IORING_OP_READV:
      return "ring read";
    case IORING_OP_WRITE:
    case IORING_OP_WRITE_FIXED:
    case IORING_OP_WRITEV:
      return "ring write";
    case IORING_OP_FSYNC:
      return "ring fsync";
    case IORING_OP_FALLOCATE:
      return "ring fallocate";
    default:
      return "ring operation";
  }
}

namespace {

bool writes(const io_uring_sqe& sqe) {
  return sqe.opcode == IORING_OP_WRITE || sqe.opcode == IORING_OP_WRITE_FIXED ||
         sqe.opcode == IORING_OP_WRITEV;
}

std::vector<iovec> pieces_of(const io_uring_sqe& sqe) {
  if (sqe.opcode == IORING_OP_FSYNC || sqe.opcode == IORING_OP_FALLOCATE) return {};
  if (sqe.opcode != IORING_OP_READV && sqe.opcode != IORING_OP_WRITEV) {
    return {{reinterpret_cast<void*>(sqe.addr), sqe.len}};
  }
  const auto* const first = reinterpret_cast<const iovec*>(sqe.addr);
  return {first, first + sqe.len};
}

}  // namespace

SimRing::EntryPtr SimRing::take(const io_uring_sqe& sqe) {
  Entry entry{sqe, pieces_of(sqe), sqe.opcode == IORING_OP_FALLOCATE ? sqe.addr : 0, file_of(sqe)};
  for (const iovec& piece : entry.pieces) entry.bytes += piece.iov_len;
  return std::make_shared<const Entry>(std::move(entry));
}

/// Both halves of an operation's life are in the trace: it was issued, and it was answered for.
void SimRing::note(const char* what, const Entry& entry, std::int64_t result) {
  const std::uint64_t now_ns = kernel_.scheduler_.now_ns();
  kernel_.trace_.note({.begun_ns = now_ns,
                       .ended_ns = now_ns,
                       .what = what,
                       .inode = entry.file == nullptr ? 0 : entry.file->inode->number(),
                       .offset = entry.sqe.off,
                       .bytes = entry.bytes,
                       .result = result});
}

// Operations of a ring may begin in any order: buffered writes and syncs go to workers of the
// kernel's own (io_uring_enter(2): only IO_LINK and IO_DRAIN order them).
void SimRing::begin(const EntryPtr& entry) {
  constexpr std::uint64_t delay_ns = 2000;
  ++under_way_;
  note("issued", *entry, entry->sqe.opcode);
  const int refused = entry->file == nullptr ? -EBADF : refusal(*entry);
  if (refused != 0) return complete(entry, refused);
  const std::uint64_t begin_ns =
      kernel_.scheduler_.now_ns() + kernel_.streams_.schedule.below(delay_ns);
  kernel_.scheduler_.at(begin_ns, [this, entry] { start_now(entry); });
}

void SimRing::start_now(const EntryPtr& entry) {
  kernel_.maybe_cut();
  const SimKernel::Started started = start(*entry);
  kernel_.scheduler_.at(started.done_ns, [this, entry, started] {
    if (started.finish) started.finish();
    if (writes(entry->sqe) && started.result > 0 && (entry->file->flags & O_DSYNC) != 0) {
      return sync_after_write(entry, started.result);
    }
    complete(entry, started.result);
  });
}

void SimRing::sync_after_write(const EntryPtr& entry, std::int64_t moved) {
  kernel_.maybe_cut();  // written, and not yet synced
  const SimKernel::Range range{entry->sqe.off, static_cast<std::uint64_t>(moved)};
  const SimKernel::Started sync = kernel_.start_sync(*entry->file, range);
  kernel_.scheduler_.at(sync.done_ns, [this, entry, sync, moved] {
    if (sync.finish) sync.finish();
    complete(entry, sync.result < 0 ? sync.result : moved);
  });
}

void SimRing::complete(const EntryPtr& entry, std::int64_t result) {
  --under_way_;
  completions_.push_back({entry, static_cast<std::int32_t>(result)});
  note(event_of(entry->sqe.opcode), *entry, result);
  kernel_.maybe_cut();
}

SimKernel::File SimRing::file_of(const io_uring_sqe& sqe) {
  if ((sqe.flags & IOSQE_FIXED_FILE) == 0) return kernel_.file_of(sqe.fd);
  const auto index = static_cast<std::size_t>(sqe.fd);
  return index < files_.size() ? files_[index] : nullptr;
}

/// What this ring does not know it refuses, as Linux does; silence would be a promise.
int SimRing::refusal(const Entry& entry) const {
  if (entry.pieces.size() > IOV_MAX) return -EINVAL;
  const io_uring_sqe& sqe = entry.sqe;
  if ((sqe.flags & ~unsigned{IOSQE_FIXED_FILE}) != 0) return -EINVAL;
  switch (sqe.opcode) {
    case IORING_OP_READ_FIXED:
    case IORING_OP_WRITE_FIXED:
      if (!registered(reinterpret_cast<const void*>(sqe.addr), sqe.len)) return -EFAULT;
      [[fallthrough]];
    case IORING_OP_READ:
    case IORING_OP_READV:
    case IORING_OP_WRITE:
    case IORING_OP_WRITEV:
      return sqe.rw_flags == 0 ? 0 : -EOPNOTSUPP;
    case IORING_OP_FSYNC:  // its address must be 0: fio's, which name a buffer, are refused
      return sqe.addr == 0 && sqe.buf_index == 0 ? 0 : -EINVAL;
    case IORING_OP_FALLOCATE:
      return 0;
    default:
      return -EINVAL;
  }
}

/// Of one that refusal() has nothing against.
SimKernel::Started SimRing::start(const Entry& entry) {
  const io_uring_sqe& sqe = entry.sqe;
  const auto count = static_cast<int>(entry.pieces.size());
  switch (sqe.opcode) {
    case IORING_OP_FSYNC:
      return kernel_.start_sync(*entry.file, {});
    case IORING_OP_FALLOCATE:
      return kernel_.start_fallocate(*entry.file, static_cast<int>(sqe.len), sqe.off, sqe.addr);
    case IORING_OP_READ:
    case IORING_OP_READ_FIXED:
    case IORING_OP_READV:
      return kernel_.start_read(*entry.file, entry.pieces.data(), count, sqe.off);
    default:
      return kernel_.start_write(*entry.file, entry.pieces.data(), count, sqe.off);
  }
}

bool SimRing::registered(const void* address, std::uint64_t bytes) const {
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  return std::ranges::any_of(buffers_, [&](const iovec& buffer) {
    const auto first = reinterpret_cast<std::uintptr_t>(buffer.iov_base);
    return begin >= first && begin + bytes <= first + buffer.iov_len;
  });
}

}  // namespace pagealloc::os::sim
