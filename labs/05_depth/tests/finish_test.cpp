// Task 7: what an operation gives back when it has ended, awaited or not.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "labs/05_depth/tests/rig.h"
#include "labs/05_depth/tests/tests.h"
#include "pagealloc/future.h"

namespace pagealloc::labs {

namespace {

const char* const said_early =
    "\"done\" stood in the slot while its operation was still to end: start() resets it, and "
    "finish() sets it before it resumes anybody, not after";

Task read_one(Loop& loop, PageId page, Op& op) { op = co_await loop.read(page); }

Task start_and_drop(Loop& loop, PageId page) {
  (void)loop.read(page);
  co_return;
}

/// A flush takes longer than a read, so the read has ended when its future goes.
Task drop_late(Loop& loop, PageId page) {
  const Future dropped = loop.read(page);
  (void)co_await loop.sync();
}

void must_have_a_frame(Test& t, Rig& rig, Loop& loop, const std::string& after,
                       const std::string& cause, const char* function) {
  const PageId page = t.random().below(64);
  Op op{.result = Errc::io};
  const Task task = read_one(loop, page, op);
  if (task) loop.run();
  const std::string wrong = task ? rig.wrong_with(op) : "no coroutine could be started";
  if (t.holds(wrong.empty())) return;
  const bool early = wrong.starts_with("ok");
  t.fail({.expected = fmt::format("a read after {}: ok, and the page", after),
          .found = wrong,
          .cause = early ? said_early : cause,
          .function = early ? "future.cpp/Loop::start" : function});
}

}  // namespace

void dropped_ones_give_back(Test& t) {
  constexpr unsigned times = 3 * 64;
  Rig rig(t, {});
  {
    Loop loop(*rig.file);
    for (unsigned i = 0; i < times; ++i) {
      (void)start_and_drop(loop, t.random().below(64));
      loop.run();
    }
    must_have_a_frame(t, rig, loop, fmt::format("{} futures that were dropped at once", times),
                      "a future that nobody awaited kept its frame: it was dropped before its "
                      "operation ended, so who ends it must give the frame back",
                      "future.cpp/Loop::finish");
  }
  Loop loop(*rig.file, {.tasks = 4, .task_bytes = 1024, .operations = 2 * times});
  for (unsigned i = 0; i < times; ++i) {
    (void)drop_late(loop, t.random().below(64));
    loop.run();
  }
  must_have_a_frame(t, rig, loop,
                    fmt::format("{} futures that were dropped after their operation ended", times),
                    "a future was dropped after its operation had ended: nobody else will clean "
                    "up after it",
                    "future.cpp/Loop::drop");
  Op beyond{.result = Errc::ok};
  (void)read_one(loop, 64, beyond);
  loop.run();
  if (!t.holds(beyond.result == Errc::beyond_end)) {
    t.fail({.expected = "a read of page 64 of 64: beyond_end",
            .found = std::string(name_of(beyond.result)),
            .cause = "an error is a value: the coroutine is resumed with it",
            .function = "future.cpp/Loop::finish"});
  }
}

namespace {

/// What is wrong with an operation that was awaited just now; the frame has been given back.
std::string look_at(Rig& rig, Op op, PageId page) {
  std::string wrong = rig.wrong_with(op);
  if (wrong.empty() && op.page != page) wrong = "another page's operation";
  return wrong;
}

Task use_again(Loop& loop, Rig& rig, std::array<PageId, 3> pages,
               std::array<std::string, 3>& wrong) {
  Future a = loop.read(pages[0]);
  Future b = loop.read(pages[1]);
  wrong[0] = look_at(rig, co_await a, pages[0]);
  Future c = loop.read(pages[2]);  // in the slot that was a's
  wrong[1] = look_at(rig, co_await b, pages[1]);
  wrong[2] = look_at(rig, co_await c, pages[2]);
}

void with_two_slots(Test& t, std::uint64_t number) {
  Rig rig(t, {.number = number});
  Loop loop(*rig.file, {.tasks = 2, .task_bytes = 2048, .operations = 2});
  const auto drawn = rig.pages(3);
  std::array<std::string, 3> wrong;
  wrong.fill("it never came");
  const Task task = use_again(loop, rig, {drawn[0], drawn[1], drawn[2]}, wrong);
  if (task) loop.run();
  for (unsigned i = 0; i < 3; ++i) {
    if (t.holds(wrong[i].empty())) continue;
    const bool early = wrong[i].starts_with("ok");
    t.fail({.expected = fmt::format("a table of two operations, and a coroutine that starts a, b, "
                                    "awaits a, starts c, awaits b and c: {} is page {}",
                                    "abc"[i], drawn[i]),
            .found = early ? wrong[i] + ": it was ready before it had come back" : wrong[i],
            .cause = early ? said_early
                           : "a slot is free again as soon as its result was taken, and is taken "
                             "anew with waiter, done and dropped reset",
            .function = early ? "future.cpp/Loop::finish" : "future.cpp/Loop::free_slot",
            .evidence = bars_of(entries(rig.bench.sim, 0))});
  }
}

}  // namespace

void a_slot_is_used_again(Test& t) {
  for (std::uint64_t number = 0; number < 20; ++number) with_two_slots(t, number);
}

}  // namespace pagealloc::labs
