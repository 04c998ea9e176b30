// Task 4: what a sync makes durable, and what it may say.
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <thread>

#include "labs/01_pages/tests/common.h"
#include "labs/01_pages/tests/tests.h"

namespace pagealloc::labs {

using os::Call;
using os::sim::Fault;

namespace {

constexpr const char* function = "blocking::sync";
constexpr std::size_t cuts_count = 64;

/// Two different pages of eight.
std::array<PageId, 2> two_pages(Test& t) {
  const PageId one = t.random().below(8);
  return {one, (one + 1 + t.random().below(7)) % 8};
}

/// A check of each page: it is what it was when the sync was acknowledged.
void check_durable(Test& t, Bench& bench, const std::array<std::uint64_t, 8>& versions) {
  const auto images = bench.cuts(cuts_count);
  for (PageId page = 0; page < versions.size(); ++page) {
    const std::uint64_t version = versions[page];
    const auto lost = bench.lost(images, page, version);
    if (t.holds(lost.count == 0)) continue;
    t.fail({.expected = fmt::format("page {} is version {} after the power cut: the sync that "
                                    "covers it was acknowledged",
                                    page, version),
            .found = fmt::format("it is not in {} of {} cuts", lost.count, images.size()),
            .cause = "success was reported and the kernel was not asked, or not this time. Only "
                     "fdatasync moves what the page cache has to the medium",
            .function = function,
            .evidence = picture_of(page, lost.first, version, {{0, 1, 2}}) + history(bench)});
  }
}

void check_one_fdatasync(Test& t, Bench& bench, const blocking::Outcome& outcome) {
  if (!t.holds(outcome.result == Errc::ok)) {
    t.fail({.expected = "a sync that nothing went wrong with: ok",
            .found = text_of(outcome),
            .cause = "run() gives 0 or a negative errno",
            .function = function,
            .evidence = bench.calls()});
  }
  const std::size_t dear = bench.kernel.count(Call::fsync) + bench.kernel.count(Call::syncfs);
  if (!t.holds(dear == 0)) {
    t.fail({.expected = "one call of fdatasync",
            .found = bench.kernel.count(Call::fsync) > 0 ? "fsync" : "syncfs",
            .cause = "it is durable, and dearer: fdatasync covers the length and the allocation, "
                     "all that is needed to read the bytes back. fsync(2) also writes what nobody "
                     "needs for that, such as the time of the last change",
            .function = function,
            .evidence = bench.calls()});
  }
}

void check_one_call(Test& t, Bench& bench) {
  const std::size_t calls = bench.kernel.count(Call::fdatasync);
  if (t.holds(calls == 1)) return;
  t.fail({.expected = "one fdatasync for one sync",
          .found = calls_text(calls, "fdatasync"),
          .cause = "what one call has made durable another one cannot make more so",
          .function = function,
          .evidence = bench.calls()});
}

}  // namespace

void sync_makes_durable(Test& t) {
  Bench bench(t);
  const auto file = opened(t, bench);
  std::array<std::uint64_t, 8> versions{};
  for (const std::uint64_t version : {1UL, 2UL}) {  // one that works the first time only is found
    for (const PageId page : two_pages(t)) {
      bench.raw_write(page, version);
      versions[page] = version;
    }
    bench.kernel.clear_log();
    const blocking::Outcome outcome = blocking::sync(*file);
    check_one_fdatasync(t, bench, outcome);
    check_durable(t, bench, versions);
    check_one_call(t, bench);
  }
}

namespace {

void check_interrupted(Test& t) {
  const PageId page = t.random().below(8);
  Bench bench(t);
  const auto file = opened(t, bench);
  bench.raw_write(page, 1);
  bench.kernel.fail_next(Call::fdatasync, EINTR);
  bench.kernel.fail_next(Call::fdatasync, EINTR);
  t.expect_trouble(
      "`uninterrupted` stands around sync_group().run(...), and belongs inside, around fdatasync: "
      "the group answers its first failure for ever, also if that was EINTR");
  const blocking::Outcome outcome = blocking::sync(*file);
  t.expect_trouble("");
  const auto lost = bench.lost(bench.cuts(16), page, 1);
  const std::size_t calls = bench.kernel.count(Call::fdatasync);
  if (!t.holds(outcome.result == Errc::ok && calls == 3 && lost.count == 0)) {
    t.fail({.expected = "ok after two EINTR and one fdatasync more, with the page on the medium",
            .found = fmt::format("{} after {}; the page is gone in {} of 16 cuts", text_of(outcome),
                                 calls_text(calls, "fdatasync"), lost.count),
            .cause = "a signal is nobody's failure, and here it would end all writing to the file; "
                     "`uninterrupted` (uninterrupted.h) makes the call again",
            .function = function,
            .evidence = bench.calls()});
  }
}

void check_failure(Test& t, Fault fault, const char* what) {
  const PageId page = t.random().below(8);
  Bench bench(t);
  const auto file = opened(t, bench);
  bench.raw_write(page, 1);
  os::sim::FaultRates faults;
  faults[fault] = 1;
  bench.sim.set_faults(faults);
  const blocking::Outcome outcome = blocking::sync(*file);
  const std::size_t calls = bench.kernel.count(Call::fdatasync);
  if (!t.holds(outcome.result == Errc::io && outcome.os_error == EIO)) {
    const auto lost = bench.lost(bench.cuts(cuts_count), page, 1);
    const char* const dropped =
        "the answer of fdatasync is dropped. It is the only place where the kernel tells";
    const char* const believed =
        "the sync was tried again. Linux marks a page clean when its write has failed, so the "
        "second sync has nothing to do and succeeds";
    const char* const nameless = "a failed sync is io, and its errno is handed on, too";
    const bool told = outcome.result != Errc::ok && calls == 1;
    t.fail(
        {.expected = fmt::format("{}: io, errno {}", what, EIO),
         .found = fmt::format("{} after {}; page {} is gone in {} of {} cuts", text_of(outcome),
                              calls_text(calls, "fdatasync"), page, lost.count, cuts_count),
         .cause = told ? nameless : (calls > 1 ? believed : dropped),
         .function = function,
         .evidence = bench.calls() + picture_of(page, lost.first, 1, {{0, 1}}) + history(bench)});
  }
  if (!t.holds(calls == 1)) {
    t.fail({.expected = fmt::format("{}: one fdatasync, and its EIO", what),
            .found = calls_text(calls, "fdatasync"),
            .cause = "the sync was tried again. After a failure the pages are clean, and what a "
                     "second call answers is not about them",
            .function = function,
            .evidence = bench.calls()});
  }
}

/// A write is refused as disk_full, a sync never: what the kernel took is not on the medium.
void check_full_disk(Test& t, int os_error) {
  Bench bench(t);
  const auto file = opened(t, bench);
  bench.raw_write(t.random().below(8), 1);
  bench.kernel.fail_next(Call::fdatasync, os_error);
  const blocking::Outcome outcome = blocking::sync(*file);
  if (t.holds(outcome.result == Errc::io && outcome.os_error == os_error)) return;
  t.fail({.expected = fmt::format("fdatasync finds no room for a page that the kernel took: {}",
                                  text_of(Errc::io, os_error)),
          .found = text_of(outcome),
          .cause = "a failed sync is io, whatever its errno. disk_full says that nothing was "
                   "changed, and after it the file lives on; here a page that a write said ok to "
                   "is lost, and the next sync would be acknowledged without it",
          .function = function,
          .evidence = bench.calls()});
}

}  // namespace

void sync_passes_the_answer_on(Test& t) {
  check_interrupted(t);
  check_failure(t, Fault::sync_error, "the kernel could not write a page back");
  check_failure(t, Fault::flush_error, "the device could not empty its cache");
  check_full_disk(t, ENOSPC);
  check_full_disk(t, EDQUOT);
}

namespace {

/// Three threads sync one file. The first who is inside fdatasync stays there until both others
/// are inside too, or wait for it.
std::array<blocking::Outcome, 3> three_syncs(Bench& bench, SharedFile& file) {
  bench.kernel.hold_syncs(2);
  bench.kernel.before_next(Call::fdatasync, [&] { bench.kernel.hold_syncs(0); });
  std::array<blocking::Outcome, 3> outcomes;
  {
    std::vector<std::jthread> threads;
    for (blocking::Outcome& outcome : outcomes) {
      threads.emplace_back([&] { outcome = blocking::sync(file); });
    }
  }
  return outcomes;
}

void check_alone(Test& t, Bench& bench) {
  const unsigned most = bench.kernel.syncs_at_once();
  if (t.holds(most == 1)) return;
  t.fail({.expected = "one fdatasync of this file in the kernel at a time",
          .found = fmt::format("{} in the kernel at a time", most),
          .cause = "Linux tells each open file description of a failed write once. Of two syncs at "
                   "the same time one is told and the other succeeds, although the lost page may "
                   "be its own. `file.sync_group().run(...)` lets one in at a time and gives "
                   "everybody its result",
          .function = function,
          .evidence = bench.calls()});
}

}  // namespace

void syncs_one_at_a_time(Test& t) {
  {
    Bench bench(t);
    const auto file = opened(t, bench);
    bench.raw_write(t.random().below(8), 1);
    const auto outcomes = three_syncs(bench, *file);
    check_alone(t, bench);
    for (const blocking::Outcome& outcome : outcomes) {
      if (t.holds(outcome.result == Errc::ok)) continue;
      t.fail({.expected = "three syncs of which none has failed: ok",
              .found = text_of(outcome),
              .cause = "who waited for another's sync gets that sync's result",
              .function = function,
              .evidence = bench.calls()});
    }
    const std::size_t calls = bench.kernel.count(Call::fdatasync);
    if (!t.holds(calls == 2)) {
      t.fail({.expected = "two calls of fdatasync for three syncs",
              .found = calls_text(calls, "fdatasync"),
              .cause = "who comes while a sync is under way is not served by it, and all who have "
                       "come meanwhile are served by the next one, together",
              .function = function,
              .evidence = bench.calls()});
    }
  }
  Bench bench(t);
  const auto file = opened(t, bench);
  os::sim::FaultRates faults;
  faults[Fault::flush_error] = 1;
  bench.sim.set_faults(faults);
  const auto outcomes = three_syncs(bench, *file);
  check_alone(t, bench);
  for (const blocking::Outcome& outcome : outcomes) {
    if (t.holds(outcome.result == Errc::io)) continue;
    t.fail({.expected = "the one sync that was made has failed: all three are io",
            .found = text_of(outcome),
            .cause = "the failure was told to one of three who wait; it is everybody's, because "
                     "what was lost may be anybody's",
            .function = function,
            .evidence = bench.calls()});
  }
  check_one_call(t, bench);
}

}  // namespace pagealloc::labs
