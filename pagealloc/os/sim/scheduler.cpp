#include "pagealloc/os/sim/scheduler.h"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace pagealloc::os::sim {

Scheduler::~Scheduler() {
  // Pools are gone before their kernel, so every fiber has ended.
  assert(fibers_.empty());
}

void Scheduler::at(std::uint64_t at_ns, std::function<void()> what) {
  events_.push({std::max(at_ns, now_ns_), planned_++, std::move(what)});
}

void Scheduler::spawn(std::function<void()> body) {
  fibers_.push_back(std::make_unique<Fiber>(std::move(body)));
  Fiber* fiber = fibers_.back().get();
  at(now_ns_, [this, fiber] { run(*fiber); });
}

void Scheduler::run(Fiber& fiber) {
  fiber.resume();
  if (!fiber.finished()) return;
  std::erase_if(fibers_, [&](const auto& kept) { return kept.get() == &fiber; });
}

void Scheduler::sleep_until(std::uint64_t at_ns) {
  if (Fiber* fiber = Fiber::current()) {
    at(at_ns, [this, fiber] { run(*fiber); });
    return fiber->suspend();
  }
  while (!events_.empty() && events_.top().at_ns <= at_ns) (void)step();
  now_ns_ = std::max(now_ns_, at_ns);
}

void Scheduler::wait_until(const std::function<bool()>& ready) {
  if (Fiber* fiber = Fiber::current()) {
    while (!ready()) {  // somebody else may have been quicker since it was woken
      waiters_.push_back({fiber, &ready});
      fiber->suspend();
    }
    return;
  }
  while (!ready()) {
    if (step()) continue;
    std::fputs("simulated kernel: deadlock, everybody waits and nothing will happen\n", stderr);
    std::abort();
  }
}

bool Scheduler::step() {
  if (events_.empty()) return false;
  Event event = std::move(const_cast<Event&>(events_.top()));
  events_.pop();
  now_ns_ = std::max(now_ns_, event.at_ns);
  event.what();
  wake_ready();  // those who waited for what it did
  return true;
}

void Scheduler::wake_ready() {
  for (std::size_t i = 0; i < waiters_.size();) {
    if (!(*waiters_[i].ready)()) {
      ++i;
      continue;
    }
    Fiber* fiber = waiters_[i].fiber;
    waiters_.erase(waiters_.begin() + static_cast<std::ptrdiff_t>(i));
    at(now_ns_, [this, fiber] { run(*fiber); });
  }
}

}  // namespace pagealloc::os::sim
