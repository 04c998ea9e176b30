// Tasks 1 and 2: a pool of threads that execute blocking calls.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "labs/05_depth/tests/lock_trap.h"
#include "labs/05_depth/tests/rig.h"
#include "labs/05_depth/tests/tests.h"

namespace pagealloc::labs {

namespace {

Rig::Setup pool(std::uint32_t threads, std::uint32_t depth = 32) {
  return {.impl = "pread", .threads = threads, .depth = depth};
}

/// A lock that is held during a call would hang the test; it is told instead.
void watch_locks(Test& t, Rig& rig) {
  set_lock_trap([&t, &rig] {
    t.fail(
        {.expected = "threads execute operations side by side",
         .found = "one of them is inside of the kernel and holds the lock that another one needs",
         .cause = "a lock was held while the kernel was called, so one thread worked and all "
                  "others waited for it",
         .function = "pool.cpp/Engine::step",
         .evidence = bars_of(calls(rig.bench.sim, 0, "preadv"))});
  });
}

/// Random reads, up to 32 in flight, eight reaped at a time: how often each came back.
void keep_reading(Test& t, Rig& rig, std::uint64_t count) {
  std::map<std::uint64_t, unsigned> times;
  std::string wrong;
  std::uint64_t begun = 0;
  while (begun < count || rig.in_flight() > 0) {
    for (; begun < count && rig.in_flight() < 32; ++begun) {
      Op& op = rig.read(t.random().below(64));
      op.user = begun;
      rig.submit(op);
    }
    for (Op* op : rig.reap(8)) {
      ++times[op->user];
      const std::string found = rig.wrong_with(*op);
      if (wrong.empty() && !found.empty()) wrong = text_of(*op) + ": " + found;
    }
  }
  const bool once = std::ranges::all_of(times, [](const auto& each) { return each.second == 1; });
  if (!t.holds(once && times.size() == count)) {
    t.fail({.expected = fmt::format("{} reads, each comes back once", count),
            .found = fmt::format("{} of them came back, {}", times.size(),
                                 once ? "each once" : "some more than once"),
            .cause = "an operation is in one list at a time: queued_, executed_, ended(), and out",
            .function = "pool.cpp/Engine::collect"});
  }
  if (!t.holds(wrong.empty())) {
    t.fail({.expected = "every read is ok and has its page's 4096 bytes",
            .found = wrong,
            .cause = "an operation was ended before it was executed, or with another one's outcome",
            .function = "pool.cpp/Engine::step"});
  }
}

}  // namespace

void each_comes_back_once(Test& t) {
  t.expect_trouble(
      "somebody waits for an operation that nobody executes, or asks for work without end: begin() "
      "posts one piece for each operation, and advance() waits where there is nothing to help "
      "with");
  for (const std::uint32_t threads : {0U, 2U, 8U}) {
    Rig rig(t, pool(threads));
    watch_locks(t, rig);
    if (threads == 0) {
      Op& op = rig.read(t.random().below(64));
      rig.submit(op);
      const auto done = rig.reap(0);
      if (!t.holds(done.size() == 1)) {
        t.fail({.expected = "without threads: reap(done, 0) right after submit() gives the read",
                .found = "it gives nothing",
                .cause = "without workers there is nobody else to execute it: begin() does, and "
                         "the operation is over when begin() returns",
                .function = "pool.cpp/Engine::begin",
                .evidence = rig.bench.calls()});
      }
      rig.must_be_ok(op, "it was ended without being executed", "pool.cpp/Engine::begin");
    }
    keep_reading(t, rig, 200);
    for (const PageId page : rig.pages(5)) rig.submit(rig.read(page));
    rig.file.reset();  // waits for the five
    set_lock_trap({});
  }
}

void submit_hands_over(Test& t) {
  Rig rig(t, pool(4));
  const std::uint64_t before_ns = rig.now_ns();
  for (const PageId page : rig.pages(8)) rig.submit(rig.read(page));
  const auto called = calls(rig.bench.sim, 0, "preadv");
  if (!t.holds(called.empty() && rig.now_ns() == before_ns)) {
    t.fail({.expected = "after submit() of 8 cold reads: no preadv yet, and no time has passed",
            .found = fmt::format("{} preadv, and {} us have passed", called.size(),
                                 (rig.now_ns() - before_ns) / 1000),
            .cause = "the operation was executed where it should only have been handed over, so "
                     "the caller had one under way at a time",
            .function = "pool.cpp/Engine::begin",
            .evidence = bars_of(called)});
  }
  for (Op* op : rig.reap(8)) rig.must_be_ok(*op, "it was not executed", "pool.cpp/Engine::step");
}

namespace {

/// Threads change places inside of system calls only, so a list that is touched without the lock
/// loses nothing here. What can be seen is how often it was taken.
void lists_are_locked(Test& t) {
  constexpr std::uint64_t reads = 24;
  constexpr std::uint64_t least = 3 * reads + 1;
  Rig rig(t, {.impl = "pread", .threads = 8, .number = 1});
  count_locks();
  for (const PageId page : rig.pages(reads)) rig.submit(rig.read(page));
  (void)rig.reap(reads);
  // The machine and the kernel for tests have locks of their own, and both are inside of the rig.
  const std::uint64_t most = most_locked(std::as_bytes(std::span(&rig, 1)));
  if (t.holds(!counts_locks || most >= least)) return;
  t.fail({.expected =
              fmt::format("{} reads by 8 threads: mutex_ is locked {} times or more", reads, least),
          .found = fmt::format("{} times", most),
          .cause = "queued_ or executed_ was touched without the lock. Each operation goes into "
                   "queued_, out of it and into executed_, which are three locks, and collect() "
                   "takes one each time. On this machine nothing is lost without; on two "
                   "processors an operation is, now and then",
          .function = "pool.cpp/Engine::step"});
}

}  // namespace

void each_has_its_own_result(Test& t) {
  Rig rig(t, pool(4));
  const auto pages = rig.pages(16);
  const PageId bad = pages[t.random().below(pages.size())];
  rig.bench.sim.make_unreadable(bench_path, bad);
  for (const PageId page : pages) rig.submit(rig.read(page));
  for (Op* op : rig.reap(16)) {
    if (op->page != bad) {
      rig.must_be_ok(*op, "it was given the outcome of another operation",
                     "pool.cpp/Engine::collect");
    } else if (!t.holds(op->result == Errc::io && op->os_error == EIO)) {
      t.fail({.expected = fmt::format("page {}, which the disk cannot read: {}", bad,
                                      text_of(Errc::io, EIO)),
              .found = result_of(*op),
              .cause = op->result == Errc::io
                           ? "the errno behind the result was lost between step() and end()"
                           : "preadv has failed and the operation does not say so: the outcome of "
                             "its execution must be in the operation when it is ended",
              .function = "pool.cpp/Engine::step",
              .evidence = rig.bench.calls()});
    }
  }
  os::sim::FaultRates faults;
  faults[os::sim::Fault::flush_error] = 1;
  rig.bench.sim.set_faults(faults);
  rig.must_be_ok(rig.run(rig.write(pages[0], 1)), "a write into the page cache has succeeded",
                 "pool.cpp/Engine::step");
  const Op& sync = rig.run(rig.sync());
  const bool told = sync.result == Errc::io && sync.os_error == EIO;
  if (!t.holds(told && rig.file->failed() == Errc::poisoned)) {
    t.fail({.expected = "sync: " + text_of(Errc::io, EIO) + "; the file is poisoned",
            .found = fmt::format("sync: {}; the file is {}", result_of(sync),
                                 name_of(rig.file->failed())),
            .cause = "fdatasync has failed and the operation does not say so",
            .function = "pool.cpp/Engine::step",
            .evidence = rig.bench.calls()});
  }
  lists_are_locked(t);
}

namespace {

/// Three times as many cold reads as threads, and one reap for all.
void depth_of(Test& t, std::uint32_t threads) {
  Rig rig(t, pool(threads, 64));
  const std::size_t count = 3 * std::size_t{threads};
  for (const PageId page : rig.pages(count)) rig.submit(rig.read(page));
  (void)rig.reap(count);
  const auto called = calls(rig.bench.sim, 0, "preadv");
  const std::size_t most = most_at_once(called);
  if (!t.holds(most == threads)) {
    t.fail({.expected = fmt::format("{} threads, {} reads: {} preadv under way at one time",
                                    threads, count, threads),
            .found = fmt::format("{} at most", most),
            .cause = most + 1 == threads
                         ? "the caller slept while operations were queued; it is one of the "
                           "threads, and the pool has started one less than Options::threads"
                         : "operations that were queued waited although a thread was free",
            .function = "pool.cpp/Engine::advance",
            .evidence = bars_of(called)});
  }
  const std::uint64_t percent = percent_with(called, threads);
  if (!t.holds(threads != 8 || percent >= 50)) {
    t.fail({.expected = "8 under way for at least half of the time",
            .found = fmt::format("for {} percent of it", percent),
            .cause = "the caller helped once and then slept",
            .function = "pool.cpp/Engine::advance",
            .evidence = bars_of(called)});
  }
}

}  // namespace

void pool_depth_is_counted(Test& t) {
  t.expect_trouble(
      "with one thread there is no worker at all: who waits without having helped waits for "
      "nobody");
  for (const std::uint32_t threads : {8U, 2U, 16U, 1U}) depth_of(t, threads);
}

void polling_lets_work_go_on(Test& t) {
  for (const std::uint32_t threads : {1U, 2U}) {
    Rig rig(t, pool(threads));
    for (const PageId page : rig.pages(4)) rig.submit(rig.read(page));
    const unsigned polls = threads == 1 ? 100 : 2000;
    std::size_t came = 0;
    for (unsigned i = 0; i < polls && came < 4; ++i) came += rig.reap(0).size();
    if (!t.holds(came == 4)) {
      t.fail({.expected = fmt::format("{} thread{}, 4 reads: all 4 after {} times reap(done, 0)",
                                      threads, threads == 1 ? "" : "s", polls),
              .found = fmt::format("{} of them", came),
              .cause = "reap(done, 0) only looked: where nobody else works, or time passes only "
                       "for those who let it, nothing ever ends",
              .function = "pool.cpp/Engine::advance",
              .evidence = rig.bench.calls()});
    }
  }
}

namespace {

/// Who waits for one read may do some of the others meanwhile, but not all of them.
void one_of_sixteen(Test& t) {
  constexpr std::size_t count = 16;
  Rig rig(t, {.impl = "pread", .threads = 2, .number = 1});
  for (const PageId page : rig.pages(count)) rig.submit(rig.read(page));
  (void)rig.reap(1);
  const auto called = calls(rig.bench.sim, 0, "preadv");
  if (!t.holds(called.size() <= count / 2)) {
    t.fail({.expected = fmt::format("2 threads, {} cold reads, reap(done, 1): it comes back when "
                                    "at most {} preadv have begun",
                                    count, count / 2),
            .found = fmt::format("{} preadv had begun", called.size()),
            .cause = "the caller helped as long as there was work, although as many as it wanted "
                     "had ended long before; after each piece it must look whether it has enough",
            .function = "pool.cpp/Engine::advance",
            .evidence = bars_of(called)});
  }
}

}  // namespace

void first_done_first_back(Test& t) {
  Rig rig(t, pool(2));
  const auto pages = rig.pages(16);
  const PageId cold = pages[0];
  for (std::size_t i = 1; i < pages.size(); ++i) (void)rig.bench.raw_read(pages[i]);
  const std::size_t from = rig.events();
  rig.submit(rig.read(cold));
  constexpr unsigned polls = 100;
  for (unsigned i = 0; i < polls && rig.bench.sim.calls_under_way().empty(); ++i) (void)rig.reap(0);
  const std::uint64_t before_ns = rig.now_ns();
  for (std::size_t i = 1; i < pages.size(); ++i) rig.submit(rig.read(pages[i]));
  const auto done = rig.reap(15);
  const auto took_us = (rig.now_ns() - before_ns) / 1000;
  const bool slow = std::ranges::any_of(done, [&](Op* op) { return op->page == cold; });
  if (!t.holds(done.size() == 15 && !slow)) {
    t.fail({.expected = "reap(done, 15) comes back with the 15 pages that memory has",
            .found = fmt::format("with {} operations after {} us, page {}, which only the disk "
                                 "has, among them",
                                 done.size(), took_us, cold),
            .cause = "it waited for all that had begun, not for as many as were asked for",
            .function = "pool.cpp/Engine::advance",
            .evidence = bars_of(calls(rig.bench.sim, from, "preadv"))});
  }
  for (Op* op : rig.reap(1)) rig.must_be_ok(*op, "it was not read", "pool.cpp/Engine::step");
  one_of_sixteen(t);
}

}  // namespace pagealloc::labs
