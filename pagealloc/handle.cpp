#include "pagealloc/handle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <cstdlib>

namespace pagealloc {

Handle::Handle(std::shared_ptr<SharedFile> shared, FrameArena arena)
    : shared_(std::move(shared)), arena_(std::move(arena)) {
  geometry_ = shared_->geometry();
}

Handle::~Handle() {
  while (!done_.empty()) shared_->in_flight().untrack(done_.pop());
}

void Handle::check_thread() noexcept {
#ifndef NDEBUG
  if (owner_ == std::thread::id()) owner_ = std::this_thread::get_id();
  if (owner_ == std::this_thread::get_id()) return;
  fmt::print(stderr,
             "{}: a handle was used by two threads; another() makes the second one's "
             "(clause 14)\n",
             path());
  std::abort();
#endif
}

std::size_t Handle::submit(std::span<Op* const> batch) noexcept {
  check_thread();
  std::size_t taken = 0;
  for (Op* op : batch) {
    if (in_flight_ == geometry_.depth_max) break;
    ++taken;
    ++in_flight_;
    op->done_bytes = 0;
    op->scattered = false;
    if (op->verb == Verb::read) op->frame = nullptr;
    InFlight::clear(*op);
    start(*op);
  }
  return taken;
}

void Handle::start(Op& op) noexcept {
  Errc admitted = shared_->admit(op);
  const bool staged = op.verb == Verb::write && arena_.owns(op.frame);
  if (admitted == Errc::ok && staged && arena_.run_at(op.frame) != op.run) {
    admitted = Errc::bad_argument;  // not what stage() handed out
  }
  if (admitted != Errc::ok) return finish(op, {admitted, 0});
  // What is only advised may overlap anything.
  if (op.verb != Verb::prefetch) shared_->in_flight().track(op, path());
  switch (op.verb) {
    case Verb::read:
      return read(op);
    case Verb::write:
      return write(op);
    case Verb::sync:
      return sync(op);
    case Verb::punch:
      return punch(op);
    case Verb::prefetch:
      return prefetch(op);
  }
}

std::size_t Handle::reap(std::span<Op*> done, std::size_t wait_for) noexcept {
  check_thread();
  if (in_flight_ == 0) return 0;
  advance(std::min({wait_for, done.size(), in_flight_}));
  const std::size_t count = std::min(done.size(), done_.size());
  for (std::size_t i = 0; i < count; ++i) {
    done[i] = &done_.pop();
    shared_->in_flight().untrack(*done[i]);
  }
  in_flight_ -= count;
  return count;
}

std::byte* Handle::stage(PageId page, std::uint32_t run) noexcept {
  check_thread();
  const std::uint64_t pages = shared_->pages();
  if (run == 0 || page >= pages || run > pages - page) return nullptr;
  return frame_for(page, run);
}

void Handle::release(std::byte* frame, std::uint32_t run) noexcept {
  check_thread();
  if (!arena_.owns(frame)) return give_back(frame);
  assert(arena_.run_at(frame) == run && "released with another run than it was lent with");
  if (arena_.run_at(frame) == run) arena_.give(frame);
}

void Handle::drain() noexcept {
  if (in_flight_ == 0) return;
  check_thread();
  advance(in_flight_);
}

bool Handle::lend(Op& op) noexcept {
  if (op.run > geometry_.frames) {  // no release will ever make room for it
    finish(op, {Errc::bad_argument, 0});
    return false;
  }
  op.frame = arena_.take(op.run);
  if (op.frame == nullptr) finish(op, {Errc::no_frames, 0});
  return op.frame != nullptr;
}

/// Is the frame of this write the page of a writable map itself?
bool Handle::staged_in_place(const Op& op) const noexcept {
  if (shared_->options().write_path != WritePath::map) return false;
  return reinterpret_cast<std::uintptr_t>(op.frame) ==
         reinterpret_cast<std::uintptr_t>(geometry_.base) + shared_->offset_of(op.page);
}

void Handle::finish(Op& op, blocking::Outcome outcome) noexcept {
  const bool failed_read = op.verb == Verb::read && outcome.result != Errc::ok;
  if (failed_read || op.verb == Verb::write) {
    const bool from_arena = arena_.owns(op.frame) && arena_.run_at(op.frame) != 0;
    if (from_arena) arena_.give(op.frame);
    const bool spent = from_arena || staged_in_place(op) || spend(op.frame);
    if (spent || failed_read) op.frame = nullptr;
  }
  shared_->settle(op, outcome.result, outcome.os_error);
  done_.push(op);
}

}  // namespace pagealloc
