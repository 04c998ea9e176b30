// Task 2: whole transfers, whatever the kernel answers.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "labs/01_pages/tests/common.h"
#include "labs/01_pages/tests/tests.h"

namespace pagealloc::labs {

using os::Call;

namespace {

constexpr const char* function = "move_all";
constexpr std::size_t unit_bytes = 777;  // what a short transfer is a multiple of

/// A read of `run` pages into memory of the test, and what came of it.
struct Reading {
  Reading(SharedFile& file, PageId first, std::uint32_t run_pages)
      : page(first), run(run_pages), memory(file.bytes_of({.run = run_pages})) {
    outcome = blocking::read(file, {.run = run, .page = page, .frame = memory.data()});
  }
  PageId page;
  std::uint32_t run;
  Memory memory;
  blocking::Outcome outcome;
};

/// Two checks, after the calls have been found right: the bytes, and what lies behind them.
void check_bytes(Test& t, Bench& bench, Reading& reading, std::size_t page_bytes) {
  const auto expected = pages_of(reading.page, reading.run, 0, page_bytes);
  if (!t.holds(std::ranges::equal(reading.memory.bytes(), expected))) {
    t.fail({.expected = fmt::format("the bytes of {}", pages_text(reading.page, reading.run)),
            .found = "other bytes, in memory that is full",
            .cause = "each part belongs as far into the memory as it lies behind the start of the "
                     "range",
            .function = function,
            .evidence = bench.calls() +
                        picture_of(reading.page, reading.memory.bytes().first(page_bytes), 0, {})});
  }
  if (!t.holds(reading.memory.behind_untouched())) {
    t.fail({.expected = fmt::format("{} bytes of memory are filled", expected.size()),
            .found = "memory behind them was written",
            .cause = "the range is op.run pages long, and not longer; left_of() names its memory",
            .function = function,
            .evidence = bench.calls()});
  }
}

void check_one_call(Test& t, Bench& bench, SharedFile& file, PageId page, std::uint32_t run) {
  const std::size_t page_bytes = file.geometry().page_bytes;
  bench.kernel.clear_log();
  Reading reading(file, page, run);
  const auto log = bench.kernel.log();
  const bool one = log.size() == 1 && log[0].call == Call::preadv && log[0].fd == file.fd();
  if (!t.holds(one)) {
    t.fail({.expected = fmt::format("one preadv of the file for {}", pages_text(page, run)),
            .found = "other calls",
            .cause = "the memory of a run is one block, and the kernel takes it in one call",
            .function = function,
            .evidence = bench.calls()});
  }
  const Range wanted{page * page_bytes, run * page_bytes};
  if (!t.holds(Range{log[0].offset, log[0].bytes} == wanted)) {
    t.fail({.expected = fmt::format("{} of a file with pages of {} bytes: {} bytes at offset {}",
                                    pages_text(page, run), page_bytes, wanted.bytes, wanted.offset),
            .found = fmt::format("{} bytes at offset {}", log[0].bytes, log[0].offset),
            .cause = "the page size is this file's, `file.geometry().page_bytes`, and not 4096; "
                     "offset_of() and bytes_of() know it",
            .function = function,
            .evidence = bench.calls()});
  }
  if (!t.holds(reading.outcome.result == Errc::ok)) {
    t.fail({.expected = fmt::format("a read of {}: ok", pages_text(page, run)),
            .found = text_of(reading.outcome),
            .cause = "nothing has failed: preadv has moved all that it was asked for",
            .function = function,
            .evidence = bench.calls()});
  }
  check_bytes(t, bench, reading, page_bytes);
}

}  // namespace

void read_is_one_call(Test& t) {
  const std::uint64_t pages = 8 + t.random().below(24);
  {
    Bench bench(t, {.pages = pages});
    const auto file = opened(t, bench);
    check_one_call(t, bench, *file, 0, 1);
    check_one_call(t, bench, *file, pages - 1, 1);
    check_one_call(t, bench, *file, 1 + t.random().below(pages - 4), 4);
  }
  Bench bench(t, {.pages = 64, .page_bytes = 512});
  const auto file = opened(t, bench);
  check_one_call(t, bench, *file, 1 + t.random().below(63), 1);
  check_one_call(t, bench, *file, 1 + t.random().below(56), 8);
}

namespace {

void check_short(Test& t, PageId page, std::uint32_t run) {
  Bench bench(t);
  const auto file = opened(t, bench);
  bench.kernel.set_short_transfers(unit_bytes);
  Reading reading(*file, page, run);
  const std::size_t bytes = run * 4096UL;
  const std::size_t filled = reading.memory.filled_bytes();
  const auto calls = bench.calls_of(Call::preadv);
  const auto moved = static_cast<std::size_t>(calls.empty() ? 0 : calls.front().result);
  if (!t.holds(reading.outcome.result == Errc::ok && filled == bytes)) {
    const bool one_page = run > 1 && filled >= 4096;
    const std::string rest = fmt::format(
        "the kernel moved {} of {} bytes, which is no error (read(2), RETURN VALUE), and the rest "
        "was never asked for",
        moved, bytes);
    t.fail({.expected = fmt::format("{} bytes of {}", bytes, pages_text(page, run)),
            .found = fmt::format("{}: {} bytes, then memory that was never filled (0xEE)",
                                 text_of(reading.outcome), filled),
            .cause = one_page ? fmt::format("the loop ends when one page has been moved, and this "
                                            "operation has a run of {}",
                                            run)
                              : rest,
            .function = function,
            .evidence = bench.calls()});
  }
  const auto expected = short_calls({page * 4096, bytes}, unit_bytes);
  const auto found = ranges_of(calls);
  if (!t.holds(found == expected)) {
    const auto [wanted, was] = difference("preadv", expected, found);
    t.fail({.expected = wanted,
            .found = was,
            .cause = "the place in the file moves on together with the place in memory, by as many "
                     "bytes as the call has moved",
            .function = function,
            .evidence = bench.calls()});
  }
  check_bytes(t, bench, reading, 4096);
}

}  // namespace

void short_is_not_the_end(Test& t) {
  check_short(t, 1 + t.random().below(7), 1);
  check_short(t, 1 + t.random().below(5), 3);
}

namespace {

void check_interrupted(Test& t, Bench& bench, const Reading& reading,
                       std::span<const Range> expected) {
  if (!t.holds(reading.outcome.result == Errc::ok)) {
    t.fail({.expected = "ok, whatever signals came",
            .found = text_of(reading.outcome),
            .cause = "EINTR says that a signal came before anything was moved, and nothing about "
                     "the file. The same call is made again",
            .function = function,
            .evidence = bench.calls()});
  }
  const auto found = ranges_of(bench.calls_of(Call::preadv));
  if (!t.holds(std::ranges::equal(found, expected))) {
    const auto [wanted, was] = difference("preadv", expected, found);
    t.fail({.expected = wanted,
            .found = was,
            .cause = "after EINTR the same call is made again; here what had been moved before the "
                     "signal was thrown away, or left out",
            .function = function,
            .evidence = bench.calls()});
  }
}

}  // namespace

void interrupted_is_made_again(Test& t) {
  const PageId page = 1 + t.random().below(7);
  const Range whole{page * 4096, 4096};
  {
    Bench bench(t);
    const auto file = opened(t, bench);
    bench.kernel.fail_next(Call::preadv, EINTR);
    bench.kernel.fail_next(Call::preadv, EINTR);
    Reading reading(*file, page, 1);
    check_interrupted(t, bench, reading, std::vector<Range>(3, whole));
    check_bytes(t, bench, reading, 4096);
  }
  Bench bench(t);
  const auto file = opened(t, bench);
  bench.kernel.set_short_transfers(unit_bytes);
  bench.kernel.fail_next(Call::preadv, EINTR, 1);
  Reading reading(*file, page, 1);
  auto expected = short_calls(whole, unit_bytes);
  expected.insert(expected.begin() + 1, expected[1]);
  check_interrupted(t, bench, reading, expected);
  check_bytes(t, bench, reading, 4096);
}

namespace {

void check_truncated(Test& t, Bench& bench, SharedFile& file, PageId page, std::uint32_t run,
                     std::size_t calls) {
  bench.kernel.clear_log();
  Reading reading(file, page, run);
  const bool good = reading.outcome.result == Errc::truncated && reading.outcome.os_error == 0;
  if (!t.holds(good)) {
    t.fail({.expected = fmt::format("{} of a file that is {} bytes long by now: truncated",
                                    pages_text(page, run), bench.raw_bytes()),
            .found =
                fmt::format("{}, and the calls have moved {} of {} bytes", text_of(reading.outcome),
                            bytes_moved(bench.kernel.log()), run * 4096),
            .cause = "preadv answers 0 at the end of the file. That is no error of the call, and "
                     "no success of the operation",
            .function = function,
            .evidence = bench.calls()});
  }
  if (!t.holds(bench.kernel.count(Call::preadv) == calls)) {
    t.fail({.expected = "truncated after " + calls_text(calls, "preadv"),
            .found = calls_text(bench.kernel.count(Call::preadv), "preadv"),
            .cause = "only an answer of 0 is the end of the file; a short transfer is not, and "
                     "after a 0 nothing more comes",
            .function = function,
            .evidence = bench.calls()});
  }
}

void check_end_of_file(Test& t) {
  constexpr std::size_t calls_max = 1000;
  const PageId half = 2 + t.random().below(4);  // of this page the first half is there
  Bench bench(t);
  const auto file = opened(t, bench);
  bench.raw_resize(half * 4096 + 2048);
  bench.kernel.set_call_limit(calls_max, [&] {
    t.fail({.expected = "the read ends at the end of the file",
            .found = fmt::format("{} calls, and no end of them", calls_max),
            .cause = "preadv answers 0 at the end of the file, and a call that moves nothing is "
                     "made again for ever",
            .function = function,
            .evidence = bench.calls()});
  });
  check_truncated(t, bench, *file, half + 1, 1, 1);
  check_truncated(t, bench, *file, half, 1, 2);
  check_truncated(t, bench, *file, half - 1, 3, 2);
}

void check_error(Test& t, int errno_of_call) {
  Bench bench(t);
  const auto file = opened(t, bench);
  bench.kernel.fail_next(Call::preadv, errno_of_call);
  Reading reading(*file, t.random().below(8), 1);
  const auto [result, os_error] = reading.outcome;
  const std::size_t calls = bench.kernel.count(Call::preadv);
  if (!t.holds(result == Errc::io && calls == 1)) {
    t.fail({.expected = fmt::format("io after one preadv, which answered errno {} ({})",
                                    errno_of_call, describe(errno_of_call)),
            .found = text_of(reading.outcome) + " after " + calls_text(calls, "preadv"),
            .cause = "an error other than EINTR is tried again, or not handed on. Whether a second "
                     "try may be believed is not for this layer to decide, and for a sync it may "
                     "not",
            .function = function,
            .evidence = bench.calls()});
  }
  if (!t.holds(os_error == errno_of_call)) {
    t.fail({.expected = fmt::format("io with errno {}", errno_of_call),
            .found = fmt::format("io with errno {}: nobody can say what happened", os_error),
            .cause = "the errno of the call is not handed on in Outcome::os_error",
            .function = function,
            .evidence = bench.calls()});
  }
}

}  // namespace

void end_of_file_and_error(Test& t) {
  check_end_of_file(t);
  check_error(t, EIO);
  check_error(t, EAGAIN);
}

}  // namespace pagealloc::labs
