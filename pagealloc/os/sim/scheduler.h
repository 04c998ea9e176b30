// The clock of the simulated machine, and everything that will happen on it.
//
// Time passes only when somebody waits: then what is due happens, in order of time, and what is due
// at the same time in the order in which it was planned. Nothing sleeps.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "pagealloc/os/sim/fiber.h"

namespace pagealloc::os::sim {

/// Not thread safe; the kernel's lock is held around it.
class Scheduler {
 public:
  ~Scheduler();

  std::uint64_t now_ns() const { return now_ns_; }
  /// `what` happens when the clock gets to `at_ns`. It must not wait.
  void at(std::uint64_t at_ns, std::function<void()> what);
  /// A fiber that begins now. The scheduler keeps it until it is finished.
  void spawn(std::function<void()> body);

  /// The caller, a fiber or the thread itself, goes on at `at_ns`; what is due before happens
  /// first.
  void sleep_until(std::uint64_t at_ns);
  void sleep(std::uint64_t duration_ns) { sleep_until(now_ns_ + duration_ns); }
  /// The caller goes on when `ready()` is true, which is asked after everything that happens. The
  /// process ends when nothing is left that could make it true: that is a deadlock.
  void wait_until(const std::function<bool()>& ready);
  /// The next event happens; false when there is none. Not from within a fiber.
  bool step();
  /// Something that somebody may wait for was changed outside of any event.
  void nudge() { wake_ready(); }

 private:
  struct Event {
    std::uint64_t at_ns;
    std::uint64_t number;  // of those at the same time the first planned is first
    std::function<void()> what;
    bool operator>(const Event& other) const {
      return at_ns != other.at_ns ? at_ns > other.at_ns : number > other.number;
    }
  };
  struct Waiter {
    Fiber* fiber;
    const std::function<bool()>* ready;
  };
  void wake_ready();
  void run(Fiber& fiber);

  std::uint64_t now_ns_ = 0;
  std::uint64_t planned_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Waiter> waiters_;
};

}  // namespace pagealloc::os::sim
