// Task 8: a page that may lie in a hole gets its space before it is written.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "labs/03_direct/tests/support.h"
#include "labs/03_direct/tests/tests.h"

namespace pagealloc::labs {

using conformance::Record;
using os::Call;

namespace {

const char* const function = "blocking::fill_holes";
constexpr const char* stranger_path = "/d/stranger";

/// The bench's file, with `page` punched, and an empty log.
std::unique_ptr<PageFile> punched(Test& t, Bench& bench, PageId page) {
  auto file = opened(t, bench, direct_options(bench, Direct::require),
                     "SharedFile::open_descriptor", "nothing refuses O_DIRECT here");
  const Op op = run(t, bench, *file, {.verb = Verb::punch, .page = page});
  if (!t.holds(op.result == Errc::ok)) {
    t.fail({.expected = fmt::format("page {} can be punched", page),
            .found = text_of(op.result, op.os_error),
            .cause = "this file system has holes",
            .function = "blocking::punch",
            .evidence = bench.calls()});
  }
  bench.kernel.clear_log();
  return file;
}

/// A stranger takes 4096 bytes of the disk.
int stranger_takes(Bench& bench) {
  const int fd = bench.sim.open(stranger_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  return fd < 0 ? fd : bench.sim.fallocate(fd, 0, 0, 4096);
}

void full_disk_is_found_first(Test& t, Bench& bench, PageFile& file, PageId page) {
  const Op op = write(t, bench, file, page, 1);
  const bool writes = !bench.calls_of(Call::pwritev).empty();
  const bool good = op.result == Errc::disk_full && file.failed() == Errc::ok && !writes;
  if (!t.holds(good)) {
    t.fail({.expected = fmt::format("page {} was punched and the disk is full by now. A write of "
                                    "it: disk_full, found before anything was written, and the "
                                    "file is as good as before",
                                    page),
            .found = fmt::format("{}, and the file is {}", text_of(op.result, op.os_error),
                                 file.failed() == Errc::ok ? "as good as before" : "poisoned"),
            .cause = writes ? "the hole's space was not asked for before the write (or a full disk "
                              "was not taken for an answer), so that the direct write found the "
                              "disk full, which poisons"
                            : "ENOSPC and EDQUOT from fallocate are disk_full: nothing was "
                              "changed, and the caller can make room",
            .function = function,
            .evidence = bench.calls()});
  }
  const auto bytes = bench.raw_read(page);
  if (t.holds(std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; }))) return;
  t.fail({.expected = fmt::format("page {} still reads as zeros", page),
          .found = "it does not",
          .cause = "the write was refused, and something was written",
          .function = function,
          .evidence = bench.calls()});
}

std::string in_one_line(std::string lines) {
  if (lines.ends_with('\n')) lines.pop_back();
  std::ranges::replace(lines, '\n', ',');
  return lines;
}

void space_then_bytes(Test& t, Bench& bench, PageFile& file, PageId page) {
  const Op op = write(t, bench, file, page, 1);
  if (!t.holds(op.result == Errc::ok)) {
    t.fail({.expected = fmt::format("there is room again: a write of page {} ends with ok", page),
            .found = text_of(op.result, op.os_error),
            .cause = "what failed before must leave no trace",
            .function = function,
            .evidence = bench.calls()});
  }
  const auto log = bench.kernel.log();
  const bool two = log.size() == 2 && log[0].call == Call::fallocate &&
                   log[1].call == Call::pwritev && log[0].offset == page * 4096 &&
                   log[0].bytes == 4096;
  if (!t.holds(two)) {
    t.fail({.expected = fmt::format("two calls: fallocate of the page's range (offset {}, 4096 "
                                    "bytes), then pwritev",
                                    page * 4096),
            .found = in_one_line(bench.calls()),
            .cause = "space first, and exactly as much as the write needs",
            .function = function});
  }
}

}  // namespace

void space_before_bytes(Test& t) {
  Bench bench(t, {.impl = "direct", .machine = {.capacity_bytes = 8 * 4096}});
  const PageId page = t.random().below(8);
  const auto file = punched(t, bench, page);
  if (const int result = stranger_takes(bench); !t.holds(result == 0)) {
    t.fail({.expected = "a stranger can take the block that was given back",
            .found = describe(-result),
            .cause = "the punch has freed none",
            .function = "blocking::punch"});
  }
  full_disk_is_found_first(t, bench, *file, page);
  bench.raw_resize(0, stranger_path);
  bench.kernel.clear_log();
  space_then_bytes(t, bench, *file, page);
  const Op sync = run(t, bench, *file, {.verb = Verb::sync});
  const auto lost = bench.lost(bench.cuts(50), page, 1);
  if (t.holds(sync.result == Errc::ok && lost.count == 0)) return;
  const std::uint64_t older[] = {0};
  t.fail(
      {.expected = fmt::format("page {} is version 1 after a power cut, its sync was reaped", page),
       .found = fmt::format("in {} of 50 power cuts it is older", lost.count),
       .cause = "the block and the bytes are both the sync's",
       .function = "Engine::begin",
       .evidence = picture_of(page, lost.first, 1, older) + bench.calls()});
}

namespace {

struct Case {
  int os_error;
  Errc expected;
  bool poisons;
  const char* cause;
};

constexpr Case cases[] = {
    {EOPNOTSUPP, Errc::ok, false,
     "this file system cannot allocate ahead; the write allocates by itself, as it does anywhere"},
    {EINTR, Errc::ok, false, "a signal came; the call is made again (uninterrupted())"},
    {EDQUOT, Errc::disk_full, false,
     "EDQUOT is a full disk for one user: nothing was changed (errc_of_io())"},
    {EIO, Errc::io, true, "what the file system has of this range is uncertain from now on"},
};

void check(Test& t, const Case& each) {
  Bench bench(t, {.impl = "direct"});
  const PageId page = t.random().below(8);
  const auto file = punched(t, bench, page);
  bench.kernel.fail_next(Call::fallocate, each.os_error);
  const Op op = write(t, bench, *file, page, 1);
  const std::size_t writes = bench.calls_of(Call::pwritev).size();
  const bool ok = each.expected == Errc::ok;
  const bool good = op.result == each.expected && (file->failed() != Errc::ok) == each.poisons &&
                    writes == (ok ? 1U : 0U) && op.os_error == (ok ? 0 : each.os_error);
  if (t.holds(good)) return;
  t.fail({.expected = fmt::format("a write whose allocation ends with {}: {}, {} of pwritev, and "
                                  "the file is {}",
                                  describe(each.os_error), name_of(each.expected),
                                  ok ? "one call" : "no call",
                                  each.poisons ? "poisoned" : "as good as before"),
          .found =
              fmt::format("{}, {} of pwritev, and the file is {}", text_of(op.result, op.os_error),
                          writes == 1 ? "one call" : fmt::format("{} calls", writes),
                          file->failed() == Errc::ok ? "as good as before" : "poisoned"),
          .cause = each.cause,
          .function = function,
          .evidence = bench.calls()});
}

}  // namespace

void allocation_that_fails(Test& t) {
  for (const Case& each : cases) check(t, each);
}

}  // namespace pagealloc::labs
