// Task 3: writing.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "labs/01_pages/tests/common.h"
#include "labs/01_pages/tests/tests.h"

namespace pagealloc::labs {

using conformance::Record;
using os::Call;

namespace {

constexpr const char* function = "blocking::write";
constexpr std::size_t unit_bytes = 777;

blocking::Outcome write(SharedFile& file, PageId page, std::uint32_t run, std::uint64_t version) {
  Memory memory(run * 4096UL);
  fill(memory, page, run, version);
  return blocking::write(file,
                         {.verb = Verb::write, .run = run, .page = page, .frame = memory.data()});
}

/// How many bytes of the range are the new version's, from its start on.
std::size_t bytes_written(Bench& bench, PageId page, std::uint32_t run, std::uint64_t version) {
  const auto wanted = pages_of(page, run, version);
  std::vector<std::byte> found;
  for (PageId each = page; each < page + run; ++each) {
    const auto bytes = bench.raw_read(each);
    found.insert(found.end(), bytes.begin(), bytes.end());
  }
  return static_cast<std::size_t>(std::ranges::mismatch(wanted, found).in1 - wanted.begin());
}

void check_others(Test& t, Bench& bench, PageId page, std::uint32_t run) {
  for (PageId each = 0; each < 8; ++each) {
    const bool written = each >= page && each < page + run;
    const auto found = bench.raw_read(each);
    if (t.holds(bench.version_of(each, found) == (written ? 1U : 0U))) continue;
    t.fail({.expected = fmt::format("page {} is version {}", each, written ? 1 : 0),
            .found = "it is not",
            .cause = fmt::format("{} were to be written, each byte to its own place, and nothing "
                                 "else",
                                 pages_text(page, run)),
            .function = function,
            .evidence = bench.calls() + picture_of(each, found, written ? 1 : 0, {{0, 1}})});
  }
}

}  // namespace

void write_is_whole(Test& t) {
  constexpr std::uint32_t run = 3;
  const PageId page = 1 + t.random().below(4);
  Bench bench(t);
  const auto file = opened(t, bench);
  bench.kernel.set_short_transfers(unit_bytes);
  bench.kernel.fail_next(Call::pwritev, EINTR, 2);
  const blocking::Outcome outcome = write(*file, page, run, 1);
  if (!t.holds(outcome.result == Errc::ok)) {
    t.fail({.expected = fmt::format("a write of {}: ok", pages_text(page, run)),
            .found = text_of(outcome),
            .cause = "no call has failed: some were short, and one was interrupted. What move_all "
                     "does for a read it does for a write",
            .function = function,
            .evidence = bench.calls()});
  }
  const std::size_t written = bytes_written(bench, page, run, 1);
  if (!t.holds(written == run * 4096)) {
    t.fail({.expected =
                fmt::format("{} are version 1, all {} bytes", pages_text(page, run), run * 4096),
            .found = fmt::format("the first {} of {} bytes are; then comes what was there before",
                                 written, run * 4096),
            .cause = "the answer of pwritev is taken for all or nothing. A write may be short, too",
            .function = function,
            .evidence = bench.calls()});
  }
  check_others(t, bench, page, run);
  if (!t.holds(bench.raw_bytes() == 8 * 4096)) {
    t.fail({.expected = "the file is as long as before, 32768 bytes",
            .found = fmt::format("{} bytes", bench.raw_bytes()),
            .cause = "a part was written behind the end",
            .function = function,
            .evidence = bench.calls()});
  }
  auto expected = short_calls({page * 4096, run * 4096}, unit_bytes);
  expected.insert(expected.begin() + 2, expected[2]);
  const auto found = ranges_of(bench.calls_of(Call::pwritev));
  if (!t.holds(found == expected)) {
    const auto [wanted, was] = difference("pwritev", expected, found);
    t.fail({.expected = wanted,
            .found = was,
            .cause = "the bytes are right in the end, but some were written twice: after a short "
                     "transfer only the rest is left, and after EINTR the same call is made again",
            .function = function,
            .evidence = bench.calls()});
  }
}

namespace {

struct Answer {
  std::int64_t answer;  ///< of the pwritev after `skip` others
  unsigned skip;
  bool short_transfers;
  Errc expected;
  int os_error;
  std::size_t calls;
  const char* what;  ///< the kernel did
  const char* cause;
  const char* place;
  const char* errno_cause = "the result is right; the errno of the call is not handed on with it";
};

void check_answer(Test& t, const Answer& each) {
  const PageId page = t.random().below(8);
  Bench bench(t);
  const auto file = opened(t, bench);
  bench.kernel.set_short_transfers(each.short_transfers ? unit_bytes : 0);
  bench.kernel.answer_next(Call::pwritev, each.answer, each.skip);
  const blocking::Outcome outcome = write(*file, page, 1, 1);
  const std::size_t written = bytes_written(bench, page, 1, 1);
  const bool good = outcome.result == each.expected && outcome.os_error == each.os_error;
  if (!t.holds(good)) {
    const bool errno_only = outcome.result == each.expected;
    t.fail(
        {.expected = fmt::format("{}: {}", each.what, text_of(each.expected, each.os_error)),
         .found = fmt::format("{}; of 4096 bytes {} have been written", text_of(outcome), written),
         .cause = errno_only ? each.errno_cause : each.cause,
         .function = each.place,
         .evidence = bench.calls()});
  }
  const std::size_t calls = bench.kernel.count(Call::pwritev);
  if (!t.holds(calls == each.calls)) {
    t.fail({.expected = fmt::format("{}: {}", each.what, calls_text(each.calls, "pwritev")),
            .found = calls_text(calls, "pwritev"),
            .cause = "a failure is handed on as it is, without a second try",
            .function = "move_all",
            .evidence = bench.calls()});
  }
}

}  // namespace

void what_a_failed_write_is(Test& t) {
  const Answer answers[] = {
      {-ENOSPC, 0, false, Errc::disk_full, ENOSPC, 1,
       "the disk is full before anything was written",
       "disk_full says that nothing was changed, and that is so: errc_of_transfer() has to be told "
       "that nothing was moved",
       "move_all"},
      {-ENOSPC, 1, true, Errc::io, ENOSPC, 2, "the disk is full after the first part was written",
       "disk_full promises that nothing was changed, and the file lives on; here the page is half "
       "old and half new. errc_of_transfer() asks whether nothing was moved",
       "move_all"},
      {-EIO, 0, false, Errc::io, EIO, 1, "pwritev has failed",
       "the error of the call is the error of the operation, with its errno", "move_all"},
      {0, 0, false, Errc::io, EIO, 1, "pwritev has moved nothing and has not failed",
       "0 is the end of the file for a read. A write has no end to run into: one that moves "
       "nothing "
       "has failed, and `truncated` would not poison the file, so that a later sync would be "
       "acknowledged",
       function,
       "the result is right. The kernel gave no errno for it, and whoever reads of an io looks "
       "for one: EIO stands for it"},
  };
  for (const Answer& each : answers) check_answer(t, each);
}

namespace {

/// A bench whose page `hole` has no block.
Bench::Setup setup_with_hole(PageId hole) {
  Bench::Setup setup;
  os::sim::FileImage file = file_of(8);
  std::fill_n(file.bytes.begin() + static_cast<std::ptrdiff_t>(hole * 4096), 4096, std::byte{0});
  file.allocated[hole] = false;
  setup.machine.image.files[bench_path] = file;
  return setup;
}

void check_full_disk(Test& t, Bench& bench, SharedFile& file, PageId hole) {
  bench.kernel.fail_next(Call::fallocate, ENOSPC);
  const blocking::Outcome outcome = write(file, hole, 1, 1);
  if (!t.holds(outcome.result == Errc::disk_full && bench.kernel.count(Call::pwritev) == 0)) {
    t.fail({.expected = fmt::format("the disk has no room for page {}, which is a hole: disk_full "
                                    "before anything is written",
                                    hole),
            .found = fmt::format("{} after {} and {}", text_of(outcome),
                                 calls_text(bench.kernel.count(Call::fallocate), "fallocate"),
                                 calls_text(bench.kernel.count(Call::pwritev), "pwritev")),
            .cause = "blocking::fill_holes() is not called before the transfer, or its answer is "
                     "dropped. Linux takes a write into a hole when only memory is there for it, "
                     "and finds the disk full at the sync: then the file is poisoned",
            .function = function,
            .evidence = bench.calls()});
  }
  const auto found = bench.raw_read(hole);
  const bool zeros = std::ranges::all_of(found, [](std::byte each) { return each == std::byte{}; });
  if (!t.holds(zeros)) {
    t.fail({.expected = fmt::format("page {} is still a hole, and reads as zeros", hole),
            .found = "other bytes",
            .cause = "disk_full says that nothing was changed",
            .function = function,
            .evidence = bench.calls() + picture_of(hole, found, 1, {})});
  }
}

/// Not only a full disk: any failure of fill_holes() is the write's.
void check_no_space_for_another_reason(Test& t, PageId hole) {
  Bench bench(t, setup_with_hole(hole));
  const auto file = opened(t, bench);
  bench.kernel.fail_next(Call::fallocate, EIO);
  const blocking::Outcome outcome = write(*file, hole, 1, 1);
  const std::size_t writes = bench.kernel.count(Call::pwritev);
  if (t.holds(outcome.result == Errc::io && outcome.os_error == EIO && writes == 0)) return;
  t.fail({.expected = fmt::format("the disk fails while page {}, which is a hole, gets its space: "
                                  "{} before anything is written",
                                  hole, text_of(Errc::io, EIO)),
          .found = fmt::format("{} after {}", text_of(outcome), calls_text(writes, "pwritev")),
          .cause = "blocking::fill_holes() may fail for another reason than a full disk: whatever "
                   "is not ok is the outcome of the write, with its errno",
          .function = function,
          .evidence = bench.calls()});
}

}  // namespace

void hole_gets_its_space_first(Test& t) {
  const PageId hole = 1 + t.random().below(6);
  {
    Bench bench(t, setup_with_hole(hole));
    const auto file = opened(t, bench);
    check_full_disk(t, bench, *file, hole);
    bench.kernel.clear_log();
    const blocking::Outcome outcome = write(*file, hole, 1, 1);
    auto log = bench.kernel.log();
    std::erase_if(log, [](const Record& record) {
      return record.call != Call::fallocate && record.call != Call::pwritev;
    });
    const bool good = outcome.result == Errc::ok && log.size() == 2 &&
                      log[0].call == Call::fallocate && log[0].flags == 0 &&
                      log[0].offset == hole * 4096 && log[0].bytes == 4096 &&
                      log[1].call == Call::pwritev;
    if (!t.holds(good)) {
      t.fail({.expected = fmt::format("ok, by fallocate of the 4096 bytes at offset {} and then "
                                      "one pwritev",
                                      hole * 4096),
              .found = text_of(outcome) + ", by other calls",
              .cause = "blocking::fill_holes() asks for the space of the operation's range; it "
                       "belongs before the transfer, once",
              .function = function,
              .evidence = bench.calls()});
    }
  }
  check_no_space_for_another_reason(t, hole);
  Bench bench(t);
  const auto file = opened(t, bench);
  const blocking::Outcome outcome = write(*file, hole, 1, 1);
  const bool good = outcome.result == Errc::ok && bench.kernel.count(Call::fallocate) == 0;
  if (!t.holds(good)) {
    t.fail({.expected = "a write to a file without holes: ok, and no fallocate",
            .found = text_of(outcome) + " after " +
                     calls_text(bench.kernel.count(Call::fallocate), "fallocate"),
            .cause = "blocking::fill_holes() knows whether the file may have holes; no call of "
                     "one's own is needed",
            .function = function,
            .evidence = bench.calls()});
  }
}

}  // namespace pagealloc::labs
