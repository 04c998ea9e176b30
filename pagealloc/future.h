// Page files from coroutines: start operations, do something else, co_await each.
//
//     Task copy_page(Loop& loop, PageId from, PageId to) {
//       Op read = co_await loop.read(from);
//       if (read.result != Errc::ok) co_return;
//       ...
//     }
//     if (!copy_page(loop, 1, 2)) ...  // the pool is empty: nothing ran
//     loop.run();
//
// Nothing allocates after the Loop is made: operations come from a fixed table, coroutine frames
// from a fixed pool. A Loop, its tasks and its file belong to one thread.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <vector>

#include "pagealloc/page_file.h"

namespace pagealloc {

class Loop;

/// An operation that was started and will be done. Move-only; await it exactly once (awaiting it
/// twice, or from two coroutines, ends the process: the second wait would be for somebody else's
/// operation, or the first would never end). One that is
/// dropped unawaited gives its frame back by itself.
class [[nodiscard]] Future {
 public:
  Future(Future&& other) noexcept;
  Future& operator=(Future&&) = delete;
  ~Future();

  bool await_ready() const noexcept;
  void await_suspend(std::coroutine_handle<> waiter) noexcept;
  /// The operation as reaped: result, os_error and, for a read, the lent frame.
  Op await_resume() noexcept;

 private:
  friend class Loop;
  Future(Loop& loop, std::uint32_t slot) noexcept : loop_(&loop), slot_(slot) {}
  Loop* loop_;  // nullptr: moved from or awaited
  std::uint32_t slot_;
};

/// A coroutine that runs at once, up to its first wait. Its first parameter must be a Loop&, whose
/// pool its frame comes from. False: the pool was empty or the frame too large; nothing ran.
class [[nodiscard]] Task {
 public:
  struct promise_type {
    template <typename... Rest>
    static void* operator new(std::size_t bytes, Loop& loop, Rest&&...) noexcept {
      return take_frame(loop, bytes);
    }
    static void operator delete(void* frame) noexcept { give_frame(frame); }
    static Task get_return_object_on_allocation_failure() noexcept { return Task(false); }
    Task get_return_object() noexcept { return Task(true); }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
  };
  explicit operator bool() const noexcept { return started_; }

 private:
  explicit Task(bool started) noexcept : started_(started) {}
  static void* take_frame(Loop& loop, std::size_t bytes) noexcept;
  static void give_frame(void* frame) noexcept;
  bool started_;
};

/// Drives one handle for coroutines. Make all of them end before it is destroyed.
class Loop {
 public:
  struct Limits {
    std::uint32_t tasks = 64;        ///< coroutines alive at once
    std::size_t task_bytes = 1024;   ///< of one coroutine's frame
    std::uint32_t operations = 256;  ///< futures alive at once
  };
  explicit Loop(PageFile& file) : Loop(file, Limits()) {}
  Loop(PageFile& file, Limits limits);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  // Each starts one operation, as Op describes it. When every operation of the table is taken the
  // future is ready at once with no_frames.
  Future read(PageId page, std::uint32_t run = 1) noexcept;
  Future write(PageId page, std::byte* frame, std::uint32_t run = 1) noexcept;
  Future sync() noexcept;
  Future punch(PageId page, std::uint32_t run = 1) noexcept;
  Future prefetch(PageId page, std::uint32_t run = 1) noexcept;

  /// Submits what was started, waits for one operation at least, and resumes whoever waited for
  /// those done. False when nothing was in flight.
  bool step() noexcept;
  /// step() until nothing is in flight.
  void run() noexcept {
    while (step()) {
    }
  }
  PageFile& file() noexcept { return file_; }

 private:
  friend class Future;
  friend class Task;
  struct Slot {
    Op op;
    std::coroutine_handle<> waiter;
    std::uint32_t next_free = 0;
    bool done = false;
    bool dropped = false;  // nobody will await it
  };
  Future start(Verb verb, PageId page, std::byte* frame, std::uint32_t run) noexcept;
  void free_slot(std::uint32_t slot) noexcept;
  void drop(std::uint32_t slot) noexcept;
  void finish(Op& op) noexcept;

  PageFile& file_;
  std::vector<Slot> slots_;
  std::uint32_t first_free_ = 0;  // slots_.size(): none
  std::vector<Op*> pending_;      // started, not yet taken by submit()
  std::uint32_t in_flight_ = 0;
  std::size_t frame_bytes_;
  struct AlignedDelete {
    void operator()(std::byte* frames) const noexcept {
      ::operator delete[](frames, std::align_val_t{alignof(Op)});
    }
  };
  std::unique_ptr<std::byte[], AlignedDelete> frames_;
  std::vector<std::byte*> free_frames_;
};

}  // namespace pagealloc
