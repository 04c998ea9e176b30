// A thread of the simulated machine: a stack of its own, run by whoever resumes it.
//
// The workers of a pool are such threads. They change places only where they enter the kernel, in
// an order that a seed decides, so that their races are explored and can be repeated. Rejected:
// real threads of which one at a time may run (a change takes ten microseconds instead of a
// quarter of one), and calls of step() one after the other (nothing would ever be half done).
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>

namespace pagealloc::os::sim {

class Fiber {
 public:
  /// `body` runs when the fiber is first resumed; when it returns the fiber is finished.
  explicit Fiber(std::function<void()> body);
  /// Precondition: finished, or never resumed.
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Runs it until it calls suspend() or ends. Not from within a fiber.
  void resume();
  /// Back to whoever resumed it. Only from within this fiber.
  void suspend();
  bool finished() const { return finished_; }
  /// The fiber that runs on this thread, or nullptr.
  static Fiber* current();

 private:
  static void enter();
  void to_fiber();
  std::function<void()> body_;
  std::byte* stack_;
  ucontext_t own_{};
  ucontext_t resumer_{};
  bool finished_ = false;
  // For the sanitizers, which must be told of every change of stacks.
  void* fake_stack_ = nullptr;
  const void* resumer_stack_ = nullptr;
  std::size_t resumer_stack_bytes_ = 0;
  void* thread_ = nullptr;
  void* resumer_thread_ = nullptr;
};

}  // namespace pagealloc::os::sim
