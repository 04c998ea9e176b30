#include "pagealloc/os/sim/fiber.h"

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "pagealloc/os/kernel.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace pagealloc::os::sim {

namespace {

constexpr std::size_t stack_bytes = 256 * 1024;
constexpr std::size_t guard_bytes = 4096;  // below each: an overflow ends the process

/// Stacks are used again: getting one from the kernel costs more than all else here.
class Stacks {
 public:
  ~Stacks() {
    for (std::byte* stack : free_) {
      (void)linux_kernel().munmap(stack - guard_bytes, guard_bytes + stack_bytes);
    }
  }
  std::byte* take() {
    if (!free_.empty()) {
      std::byte* stack = free_.back();
      free_.pop_back();
      return stack;
    }
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    Kernel& host = linux_kernel();
    auto memory = host.mmap(nullptr, guard_bytes + stack_bytes, PROT_NONE, flags, -1, 0);
    if (memory) {
      memory = host.mmap(static_cast<std::byte*>(*memory) + guard_bytes, stack_bytes,
                         PROT_READ | PROT_WRITE, flags | MAP_FIXED, -1, 0);
    }
    if (!memory) {
      std::fputs("simulated kernel: no memory for a stack\n", stderr);
      std::abort();
    }
    return static_cast<std::byte*>(*memory);
  }
  void give(std::byte* stack) { free_.push_back(stack); }

 private:
  std::vector<std::byte*> free_;
};

Stacks& stacks() {
  thread_local Stacks mine;
  return mine;
}

thread_local Fiber* running = nullptr;

}  // namespace

Fiber* Fiber::current() { return running; }

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)), stack_(stacks().take()) {
  getcontext(&own_);
  own_.uc_stack.ss_sp = stack_;
  own_.uc_stack.ss_size = stack_bytes;
  own_.uc_link = nullptr;
  makecontext(&own_, &Fiber::enter, 0);
#if defined(__SANITIZE_THREAD__)
  thread_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(thread_);
#endif
  stacks().give(stack_);
}

void Fiber::resume() {
  assert(running == nullptr && !finished_);
  running = this;
#if defined(__SANITIZE_ADDRESS__)
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, stack_, stack_bytes);
#endif
#if defined(__SANITIZE_THREAD__)
  resumer_thread_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(thread_, 0);
#endif
  swapcontext(&resumer_, &own_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
  running = nullptr;
}

void Fiber::suspend() {
  assert(running == this);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(finished_ ? nullptr : &fake_stack_, resumer_stack_,
                                 resumer_stack_bytes_);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(resumer_thread_, 0);
#endif
  swapcontext(&own_, &resumer_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack_, &resumer_stack_, &resumer_stack_bytes_);
#endif
}

void Fiber::enter() {
  Fiber& fiber = *running;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &fiber.resumer_stack_, &fiber.resumer_stack_bytes_);
#endif
  fiber.body_();
  fiber.finished_ = true;
  fiber.suspend();
}

}  // namespace pagealloc::os::sim
