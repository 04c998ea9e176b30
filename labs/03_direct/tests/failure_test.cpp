// Task 7: when "disk full, nothing was changed" is true.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "labs/03_direct/tests/support.h"
#include "labs/03_direct/tests/tests.h"

namespace pagealloc::labs {

using os::Call;

namespace {

struct Case {
  const char* what;
  const char* impl;
  bool write_through;
  int os_error;
  bool after_a_part;  ///< two of four pages have been moved by then
  Errc expected;
  const char* cause;
};

const char* const promise =
    "disk_full promises that nothing was changed, and lets the caller go on. Here that may be a "
    "lie, so the answer is io, which poisons";

constexpr Case cases[] = {
    {"with O_DIRECT", "direct", false, ENOSPC, false, Errc::io,
     "a direct write may have reached the medium in part before the file system ran out"},
    {"of a write-through file, through the page cache", "pread", true, ENOSPC, false, Errc::io,
     "the bytes may be in the page cache already, and the file system have run out when they were "
     "to go to the medium"},
    {"through the page cache, after 2 of 4 pages", "pread", false, ENOSPC, true, Errc::io,
     "the first two pages of the run had been moved when the disk was full"},
    {"with O_DIRECT", "direct", false, EIO, false, Errc::io, "EIO is EIO"},
    {"through the page cache", "pread", false, EIO, false, Errc::io, "EIO is EIO"},
    {"through the page cache", "pread", false, ENOSPC, false, Errc::disk_full,
     "nothing was moved, and the page cache, which was to take it, refuses before it has taken a "
     "byte. The caller can make room and try again; io would poison his file for nothing"},
};

Op write_run(Test& t, Bench& bench, PageFile& file, const Case& each) {
  const std::uint32_t run_pages = each.after_a_part ? 4 : 1;
  Op op{.verb = Verb::write, .run = run_pages, .page = 2, .frame = file.stage(2, run_pages)};
  std::fill_n(op.frame, std::size_t{run_pages} * 4096, std::byte{0x5A});
  if (each.after_a_part) bench.kernel.set_short_transfers(2 * 4096);
  bench.kernel.fail_next(Call::pwritev, each.os_error, each.after_a_part ? 1 : 0);
  const Op done = run(t, bench, file, op);
  bench.kernel.set_short_transfers(0);
  return done;
}

void check(Test& t, const Case& each) {
  Bench bench(t, {.impl = each.impl});
  Options options = bench.options();
  options.write_through = each.write_through;
  const auto file = opened(t, bench, options, "SharedFile::open_descriptor",
                           "nothing refuses these options here");
  bench.kernel.clear_log();
  const Op op = write_run(t, bench, *file, each);
  const bool survives = each.expected == Errc::disk_full;
  const bool as_expected = op.result == each.expected && op.os_error == each.os_error &&
                           (file->failed() == Errc::ok) == survives;
  if (!t.holds(as_expected)) {
    t.fail({.expected = fmt::format("a write {} that ends with {}: {}, and the file is {}",
                                    each.what, describe(each.os_error), name_of(each.expected),
                                    survives ? "as good as before" : "poisoned"),
            .found = fmt::format("{}, and the file is {}", text_of(op.result, op.os_error),
                                 file->failed() == Errc::ok ? "as good as before" : "poisoned"),
            .cause = survives || each.os_error == EIO ? std::string(each.cause)
                                                      : fmt::format("{}. {}", each.cause, promise),
            .function = "SharedFile::errc_of_transfer",
            .evidence = bench.calls()});
  }
  if (survives) write_well(t, bench, *file, 2, 1);
}

}  // namespace

void failure_that_may_have_changed(Test& t) {
  for (const Case& each : cases) check(t, each);
}

}  // namespace pagealloc::labs
