#include "pagealloc/in_flight.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

namespace pagealloc {

#ifdef NDEBUG

void InFlight::clear(Op&) noexcept {}
void InFlight::track(Op&, std::string_view) noexcept {}
void InFlight::untrack(Op&) noexcept {}
void InFlight::check_nothing_beyond(std::uint64_t, std::string_view) noexcept {}

#else

namespace {

bool overlaps(const Op& a, const Op& b) {
  if (a.verb == Verb::sync || b.verb == Verb::sync) return false;
  if (a.verb == Verb::read && b.verb == Verb::read) return false;
  return a.page < b.page + b.run && b.page < a.page + a.run;
}

}  // namespace

// An operation that precedes itself is in no list.
void InFlight::clear(Op& op) noexcept { op.overlap_previous = &op; }

void InFlight::track(Op& op, std::string_view path) noexcept {
  std::lock_guard lock(mutex_);
  for (const Op* other = first_; other != nullptr; other = other->overlap_next) {
    if (!overlaps(op, *other)) continue;
    fmt::print(stderr,
               "{}: {} of pages {}..{} overlaps {} of pages {}..{} that is still in flight "
               "(clause 7)\n",
               path, name_of(op.verb), op.page, op.page + op.run - 1, name_of(other->verb),
               other->page, other->page + other->run - 1);
    std::abort();
  }
  op.overlap_previous = nullptr;
  op.overlap_next = first_;
  if (first_ != nullptr) first_->overlap_previous = &op;
  first_ = &op;
}

void InFlight::untrack(Op& op) noexcept {
  std::lock_guard lock(mutex_);  // neighbours change an operation's links
  if (op.overlap_previous == &op) return;
  (op.overlap_previous == nullptr ? first_ : op.overlap_previous->overlap_next) = op.overlap_next;
  if (op.overlap_next != nullptr) op.overlap_next->overlap_previous = op.overlap_previous;
}

void InFlight::check_nothing_beyond(std::uint64_t pages, std::string_view path) noexcept {
  std::lock_guard lock(mutex_);
  for (const Op* op = first_; op != nullptr; op = op->overlap_next) {
    if (op->verb == Verb::sync || op->page + op->run <= pages) continue;
    fmt::print(stderr,
               "{}: resize to {} pages cuts off a {} of pages {}..{} that is still in flight "
               "(clause 7)\n",
               path, pages, name_of(op->verb), op->page, op->page + op->run - 1);
    std::abort();
  }
}

#endif

}  // namespace pagealloc
