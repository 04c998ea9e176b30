#include "impl_pread/engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "pagealloc/file_on.h"

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
  return file_on(Engine::make(*shared));
}

Result<std::unique_ptr<IoEngine>> Engine::make(std::shared_ptr<SharedFile> shared) {
  auto engine = std::make_unique<Engine>(std::move(shared));
  const SharedFile& its = engine->shared();
  const std::uint32_t threads = its.options().threads;
  if (threads > 0) {
    // The caller is one of them, while it waits in reap().
    engine->workers_ = its.kernel().start(*engine, threads - 1);
    if (engine->workers_ == nullptr) {
      return std::unexpected(
          its.error(Errc::not_available, 0,
                    fmt::format("not available here: cannot start {} threads", threads)));
    }
  }
  return engine;
}

Result<std::unique_ptr<IoEngine>> Engine::another() noexcept { return make(share()); }

// Without workers the operation is over when begin() returns: that is what "blocking" means.
void Engine::begin(Op& op) noexcept {
  if (workers_ == nullptr) return end(op, blocking::execute(shared(), op));
  {
    std::lock_guard lock(mutex_);
    queued_.push(op);
  }
  ++begun_;
  workers_->post(1);
}

void Engine::advance(std::size_t wanted) noexcept {
  if (workers_ == nullptr) return;
  if (wanted == 0) workers_->poll();
  const std::uint64_t target = std::min(collected_ + wanted, begun_);
  collect();
  while (collected_ < target) {
    // Instead of sleeping until a worker is done, do a worker's work: waking a thread up costs as
    // much as a read from a fast disk, and with the caller asleep each operation took two.
    if (!workers_->help()) workers_->wait(target);
    collect();
  }
}

void Engine::collect() noexcept {
  OpList executed;
  {
    std::lock_guard lock(mutex_);
    executed.take(executed_);
  }
  collected_ += executed.size();
  while (!executed.empty()) {
    Op& op = executed.pop();
    end(op, {op.result, op.os_error});
  }
}

// On a worker's thread, or the caller's: one operation, from queued_ to executed_.
void Engine::step() noexcept {
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
