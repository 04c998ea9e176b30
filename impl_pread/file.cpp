#include "impl_pread/file.h"

#include <fmt/format.h>

namespace pagealloc::impl_pread {

Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options) {
  if (options.direct.value_or(Direct::off) != Direct::off) {
    return std::unexpected(
        Error{.code = Errc::bad_argument,
              .path = std::string(path),
              .cause = "pread goes through the page cache; O_DIRECT is for direct, uring"});
  }
  auto shared = SharedFile::open(path, options, Direct::off);
  if (!shared) return std::unexpected(shared.error());
  blocking::advise(**shared, (*shared)->fd());
  auto file = File::make(*shared);
  if (file) (*shared)->keep();
  return file;
}

Result<std::unique_ptr<PageFile>> File::make(std::shared_ptr<SharedFile> shared) {
  auto arena = FrameArena::make(shared->kernel(), shared->geometry().frames,
                                shared->geometry().page_bytes, shared->path());
  if (!arena) return std::unexpected(arena.error());
  auto file = std::make_unique<File>(std::move(shared), std::move(*arena));
  const SharedFile& its = file->shared();
  const std::uint32_t threads = its.options().threads;
  if (threads > 0) {
    // The caller is one of them, while it waits in reap().
    file->workers_ = its.kernel().start(*file, threads - 1);
    if (file->workers_ == nullptr) {
      return std::unexpected(
          its.error(Errc::not_available, 0,
                    fmt::format("not available here: cannot start {} threads", threads)));
    }
  }
  return file;
}

File::File(std::shared_ptr<SharedFile> shared, FrameArena arena)
    : Handle(std::move(shared), std::move(arena)) {}

File::~File() { drain(); }

Result<std::unique_ptr<PageFile>> File::another() noexcept { return make(share()); }

std::byte* File::frame_for(PageId, std::uint32_t run) noexcept { return arena().take(run); }

void File::read(Op& op) noexcept {
  if (lend(op)) begin(op);
}

void File::write(Op& op) noexcept { begin(op); }

void File::sync(Op& op) noexcept { begin(op); }

void File::punch(Op& op) noexcept { begin(op); }

// Without workers the operation is over when submit() returns: that is what "blocking" means.
void File::begin(Op& op) noexcept {
  if (workers_ == nullptr) {
    finish(op, blocking::execute(shared(), op));
    return;
  }
  {
    std::lock_guard lock(mutex_);
    queued_.push(op);
  }
  workers_->post(1);
}

void File::advance(std::size_t wanted) noexcept {
  if (workers_ == nullptr) return;
  if (wanted == 0) workers_->poll();
  collect();
  while (done() < wanted) {
    // Instead of sleeping until a worker is done, do a worker's work: waking a thread up costs as
    // much as a read from a fast disk, and with the caller asleep each operation took two.
    if (!workers_->help()) workers_->wait(collected_ + wanted - done());
    collect();
  }
}

void File::collect() noexcept {
  OpList executed;
  {
    std::lock_guard lock(mutex_);
    executed.take(executed_);
  }
  collected_ += executed.size();
  while (!executed.empty()) {
    Op& op = executed.pop();
    finish(op, {op.result, op.os_error});
  }
}

// On a worker's thread, or the caller's: one operation, from queued_ to executed_.
void File::step() noexcept {
  Op* op = nullptr;
  {
    std::lock_guard lock(mutex_);
    op = &queued_.pop();
  }
  const blocking::Outcome outcome = blocking::execute(shared(), *op);
  op->result = outcome.result;
  op->os_error = outcome.os_error;
  std::lock_guard lock(mutex_);
  executed_.push(*op);
}

}  // namespace pagealloc::impl_pread
