// Task 6: coroutines that start operations, and go on when they have ended.
#include "pagealloc/future.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "labs/05_depth/tests/died.h"
#include "labs/05_depth/tests/rig.h"
#include "labs/05_depth/tests/tests.h"
#include "pagealloc/conformance/allocation_counter.h"

namespace pagealloc::labs {

namespace {

/// What came of one operation that a coroutine awaited.
struct Seen {
  bool back = false;
  Op op = {};
};

Task read_one(Loop& loop, PageId page, Seen& seen) {
  seen.op = co_await loop.read(page);
  seen.back = true;
}

Task read_two(Loop& loop, std::array<PageId, 2> pages, bool second_first, Seen* seen) {
  Future a = loop.read(pages[0]);
  Future b = loop.read(pages[1]);
  if (second_first) {
    seen[1] = {true, co_await b};
    seen[0] = {true, co_await a};
  } else {
    seen[0] = {true, co_await a};
    seen[1] = {true, co_await b};
  }
}

/// Empty: it came back with its page's bytes, and the frame has been given back.
std::string wrong_with(Rig& rig, Seen& seen, PageId page) {
  if (!seen.back) return "it never went on";
  if (seen.op.result == Errc::ok && seen.op.page != page) {
    return fmt::format("the result of page {}", seen.op.page);
  }
  return rig.wrong_with(seen.op);
}

void must_start(Test& t, const Task& task) {
  if (task) return;
  t.fail({.expected = "the grader's own coroutine starts",
          .found = "no frame for it",
          .cause = "the coroutines before it have not ended: they were not resumed",
          .function = "future.cpp/Loop::finish"});
}

}  // namespace

void future_depth_is_counted(Test& t) {
  Rig rig(t, {});
  Loop loop(*rig.file);
  const auto pages = rig.pages(16);
  std::array<Seen, 16> seen;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    must_start(t, read_one(loop, pages[i], seen[i]));
  }
  const std::uint64_t before_run = rig.bench.kernel.log().size();
  loop.run();
  const auto reads = entries(rig.bench.sim, 0);
  if (!t.holds(most_at_once(reads) == 16)) {
    t.fail(
        {.expected = "16 coroutines, each awaits one read: 16 under way at one time",
         .found = fmt::format("{} at most", most_at_once(reads)),
         .cause = most_at_once(reads) == 0
                      ? "what was started was never submitted"
                      : "each operation was waited for where it was started, so the next "
                        "coroutine did not run before it had ended",
         .function = most_at_once(reads) == 0 ? "future.cpp/Loop::step" : "future.cpp/Loop::start",
         .evidence = bars_of(reads)});
  }
  if (!t.holds(before_run == 0)) {
    t.fail({.expected = "before loop.run(): no call",
            .found = fmt::format("{} calls", before_run),
            .cause = "starting an operation only puts it into pending_; step() submits",
            .function = "future.cpp/Loop::start",
            .evidence = rig.bench.calls()});
  }
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const std::string wrong = wrong_with(rig, seen[i], pages[i]);
    if (t.holds(wrong.empty())) continue;
    t.fail({.expected = fmt::format("the coroutine that awaits page {} gets it", pages[i]),
            .found = wrong,
            .cause = "step() finishes every operation that reap() gave, and finish() resumes who "
                     "waits for it",
            .function = "future.cpp/Loop::step",
            .evidence = rig.bench.calls()});
  }
}

namespace {

void two_and_two(Test& t, std::uint64_t number) {
  Rig rig(t, {.number = number});
  Loop loop(*rig.file);
  const auto drawn = rig.pages(4);
  std::array<Seen, 4> seen;
  must_start(t, read_two(loop, {drawn[0], drawn[1]}, false, seen.data()));
  must_start(t, read_two(loop, {drawn[2], drawn[3]}, true, seen.data() + 2));
  loop.run();
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const std::string wrong = wrong_with(rig, seen[i], drawn[i]);
    if (t.holds(wrong.empty())) continue;
    t.fail({.expected = "a coroutine starts two reads and awaits them one after the other: both "
                        "come, whichever the disk has answered first",
            .found = fmt::format("page {}: {}", drawn[i], wrong),
            .cause = seen[i].back ? "a future must give its own operation"
                                  : "its result was there already when it was awaited, and the "
                                    "coroutine waited for a completion that had come",
            .function =
                seen[i].back ? "future.cpp/Future::await_resume" : "future.cpp/Future::await_ready",
            .evidence = bars_of(entries(rig.bench.sim, 0))});
  }
}

}  // namespace

void a_result_that_came_first(Test& t) {
  for (std::uint64_t number = 0; number < 20; ++number) two_and_two(t, number);
}

namespace {

Task write_one(Loop& loop, PageId page, std::byte* frame, Seen& seen) {
  seen.op = co_await loop.write(page, frame);
  seen.back = true;
}

}  // namespace

void no_room_is_a_value(Test& t) {
  Rig rig(t, {});
  Loop loop(*rig.file, {.tasks = 4, .task_bytes = 1024, .operations = 1});
  const auto pages = rig.pages(3);
  Seen first;
  Seen second;
  must_start(t, read_one(loop, pages[0], first));
  must_start(t, read_one(loop, pages[1], second));
  if (!t.holds(second.back && second.op.result == Errc::no_frames)) {
    t.fail({.expected = "a table of one operation, which is taken: the next future is ready at "
                        "once with no_frames",
            .found = second.back ? result_of(second.op) : "its coroutine waits",
            .cause = "a future without a slot has nothing to wait for",
            .function = "future.cpp/Future::await_ready"});
  }
  constexpr unsigned writes = 3 * 64;
  unsigned staged = 0;
  Seen refused;
  for (; staged < writes; ++staged) {
    std::byte* const frame = rig.file->stage(pages[2], 1);
    if (frame == nullptr) break;
    refused = {};
    must_start(t, write_one(loop, pages[2], frame, refused));
    if (refused.op.result != Errc::no_frames) break;
  }
  if (!t.holds(staged == writes)) {
    t.fail({.expected = fmt::format("{} writes are refused with no_frames, and stage() still gives "
                                    "a frame",
                                    writes),
            .found = refused.op.result == Errc::no_frames
                         ? fmt::format("stage() gives nullptr after {} of them", staged)
                         : fmt::format("one of them is {}", result_of(refused.op)),
            .cause = "a write spends its staged frame whatever its result (clause 6); one that was "
                     "refused kept it",
            .function = "future.cpp/Loop::start"});
  }
  loop.run();
  const std::string wrong = wrong_with(rig, first, pages[0]);
  if (!t.holds(wrong.empty())) {
    t.fail({.expected = "the read that has the slot ends as if nothing had been refused",
            .found = wrong,
            .cause = "a start that finds no slot must leave the table as it is",
            .function = "future.cpp/Loop::start"});
  }
}

void more_than_the_file_takes(Test& t) {
  constexpr std::size_t count = 20;
  Rig rig(t, {.depth = 8});
  Loop loop(*rig.file);
  const auto pages = rig.pages(count);
  std::array<Seen, count> seen;
  for (std::size_t i = 0; i < count; ++i) must_start(t, read_one(loop, pages[i], seen[i]));
  loop.run();
  const auto back = static_cast<std::size_t>(std::ranges::count(seen, true, &Seen::back));
  if (!t.holds(back == count)) {
    t.fail({.expected = fmt::format("{} coroutines read from a file that takes 8 operations at a "
                                    "time: {} results",
                                    count, count),
            .found = fmt::format("{}", back),
            .cause = "submit() takes a prefix of the batch; what it did not take was forgotten, "
                     "and whoever waits for it waits still",
            .function = "future.cpp/Loop::step",
            .evidence = bars_of(entries(rig.bench.sim, 0))});
  }
  std::string wrong;
  for (std::size_t i = 0; i < count && wrong.empty(); ++i) {
    wrong = wrong_with(rig, seen[i], pages[i]);
  }
  const std::size_t most = most_at_once(entries(rig.bench.sim, 0));
  if (!t.holds(wrong.empty() && most == 8)) {
    t.fail({.expected = "each has its page, and 8 are under way at one time",
            .found = fmt::format("{} under way{}{}", most, wrong.empty() ? "" : "; ", wrong),
            .cause = "what is pending goes on as soon as the file takes more, in the order in "
                     "which it was started",
            .function = "future.cpp/Loop::step",
            .evidence = bars_of(entries(rig.bench.sim, 0))});
  }
}

void nothing_allocates(Test& t) {
  constexpr std::uint64_t rounds = 1000 / 8;
  t.expect_trouble(
      "run() goes on as long as something is pending or in flight; a slot that is taken anew must "
      "not say \"done\" of the operation before");
  Rig rig(t, {});
  Loop loop(*rig.file);
  constexpr std::string_view never = "a coroutine never went on";
  std::array<Seen, 8> seen;
  std::string_view wrong;
  const auto round = [&] {
    for (Seen& each : seen) {
      each.back = false;
      must_start(t, read_one(loop, t.random().below(64), each));
    }
    loop.run();
    for (const Seen& each : seen) {
      if (each.op.result != Errc::ok) wrong = name_of(each.op.result);
      if (!each.back) wrong = never;
      rig.file->release(each.op.frame, 1);
    }
  };
  round();
  const std::uint64_t before = conformance::allocations();
  for (std::uint64_t i = 0; i < rounds; ++i) round();
  const std::uint64_t allocated = conformance::allocations() - before;
  if (!t.holds(wrong.empty())) {
    t.fail(
        {.expected = "1000 reads, eight coroutines at a time: all are ok",
         .found = std::string(wrong),
         .cause = wrong == never ? "step() finishes every operation that reap() gave, be it one "
                                   "or several"
                                 : "no_frames after some hundred operations: slots or frames "
                                   "were taken and never given back",
         .function = wrong == never ? "future.cpp/Loop::step" : "future.cpp/Future::await_resume"});
  }
  if (!t.holds(allocated == 0)) {
    t.fail({.expected = "1000 reads, eight coroutines at a time: 0 allocations",
            .found = fmt::format("{}", allocated),
            .cause = "something is built anew for each step or each operation; pending_ has room "
                     "for all operations from the start",
            .function = "future.cpp/Loop::step"});
  }
}

namespace {

Task await(Loop&, Future& future) { (void)co_await future; }

}  // namespace

void awaited_by_two(Test& t) {
  // They stay: after the abort their state is anything, and nobody may clean up after it.
  auto* const rig = new Rig(t, {});
  auto* const loop = new Loop(*rig->file);
  auto* const future = new Future(loop->read(t.random().below(64)));
  const Died died = died_of([&] {
    (void)await(*loop, *future);
    (void)await(*loop, *future);
    loop->run();
  });
  if (!t.holds(died.aborted)) {
    t.fail({.expected = "two coroutines await one future: the process is ended",
            .found = "it goes on, and the first coroutine never does",
            .cause = "the second waiter took the first one's place; die() where there is one "
                     "already",
            .function = "future.cpp/Future::await_suspend"});
  }
  if (!t.holds(died.said.find("awaited by two") != std::string::npos)) {
    t.fail({.expected = "it says \"a future is awaited by two coroutines\"",
            .found = died.said.empty() ? "nothing" : died.said,
            .cause = "a program that ends must say why",
            .function = "future.cpp/Future::await_suspend"});
  }
}

}  // namespace pagealloc::labs
