// Task 8: giving blocks back.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "labs/03_direct/tests/support.h"
#include "labs/03_direct/tests/tests.h"
#include "pagealloc/blocking.h"

namespace pagealloc::labs {

using os::Call;

namespace {

const char* const function = "blocking::punch";

bool zeros(std::span<const std::byte> bytes) {
  return !bytes.empty() &&
         std::ranges::all_of(bytes, [](std::byte each) { return each == std::byte{0}; });
}

struct Range {
  PageId page;
  std::uint32_t run;
  bool has(PageId each) const { return each >= page && each < page + run; }
  std::string text() const {
    return run == 1 ? fmt::format("page {}", page)
                    : fmt::format("pages {} to {}", page, page + run - 1);
  }
};

void punch_well(Test& t, Bench& bench, PageFile& file, Range range) {
  const Op op = run(t, bench, file, {.verb = Verb::punch, .run = range.run, .page = range.page});
  if (t.holds(op.result == Errc::ok)) return;
  t.fail(
      {.expected = fmt::format("the punch of {} ends with ok: this file system can", range.text()),
       .found = text_of(op.result, op.os_error),
       .cause = op.os_error == EOPNOTSUPP
                    ? "FALLOC_FL_PUNCH_HOLE must be given together with FALLOC_FL_KEEP_SIZE "
                      "(fallocate(2)); alone the kernel refuses it"
                    : "nothing goes wrong on this machine but the call itself",
       .function = function,
       .evidence = bench.calls()});
}

/// Every page of the file, after `range` was punched. `read` gets a page's bytes.
template <typename Read>
void exactly(Test& t, Bench& bench, Range range, PageId pages, const char* when, Read read) {
  for (PageId page = 0; page < pages; ++page) {
    const std::vector<std::byte> bytes = read(page);
    const bool punched = range.has(page);
    const bool good = punched ? zeros(bytes) : bench.version_of(page, bytes) == 0U;
    if (t.holds(good)) continue;
    t.fail({.expected = fmt::format("{} was punched; {}page {} {}", range.text(), when, page,
                                    punched ? "reads as zeros" : "is as before"),
            .found = punched        ? "it is not"
                     : zeros(bytes) ? "zeros"
                                    : "something else",
            .cause = punched
                         ? "the range of the call is shorter than that of the operation: "
                           "op.run pages, not one"
                         : "the range was rounded outwards to the file system's blocks, because "
                           "less frees nothing. A neighbour's bytes are lost",
            .function = function,
            .evidence = bench.calls()});
  }
}

}  // namespace

void blocks_are_given_back(Test& t) {
  constexpr PageId pages = 64;
  Bench bench(t, {.pages = pages, .impl = "direct"});
  const auto file = opened(t, bench, direct_options(bench, Direct::require),
                           "SharedFile::open_descriptor", "nothing refuses O_DIRECT here");
  const Range range{1 + t.random().below(40), 16};
  bench.kernel.clear_log();
  const std::uint64_t before = bench.raw_blocks();
  punch_well(t, bench, *file, range);
  const std::uint64_t freed = before - bench.raw_blocks();
  if (!t.holds(freed == 128)) {
    t.fail({.expected = fmt::format("{} punched, 65536 bytes: 128 blocks of 512 bytes are given "
                                    "back, of {}",
                                    range.text(), before),
            .found = fmt::format("{}", freed),
            .cause = freed == 8 ? "one page was punched of a run of 16: the range is bytes_of(op)"
                     : freed == 0
                         ? "zeros were written, or nothing was done: blocks come back only from "
                           "fallocate with FALLOC_FL_PUNCH_HOLE"
                         : "the range is another one than the operation's: offset_of(op.page), "
                           "bytes_of(op)",
            .function = function,
            .evidence = bench.calls()});
  }
  if (!t.holds(bench.raw_bytes() == pages * 4096 && file->pages() == pages)) {
    t.fail({.expected = fmt::format("the file is as long as before, {} pages", pages),
            .found = fmt::format("{} bytes", bench.raw_bytes()),
            .cause = "a hole keeps its place: FALLOC_FL_KEEP_SIZE",
            .function = function,
            .evidence = bench.calls()});
  }
  exactly(t, bench, range, pages, "", [&](PageId page) { return bench.raw_read(page); });
  const Op sync = run(t, bench, *file, {.verb = Verb::sync});
  if (!t.holds(sync.result == Errc::ok)) {
    t.fail({.expected = "a sync after a punch ends with ok",
            .found = text_of(sync.result, sync.os_error),
            .cause = "a punch that has succeeded harms nothing",
            .function = function});
  }
  for (const os::sim::Image& image : bench.cuts(20)) {
    exactly(t, bench, range, pages, "after the sync and a power cut ",
            [&](PageId page) { return bench.page_on(image, page); });
  }
}

void exactly_the_range(Test& t) {
  constexpr PageId pages = 64;
  Bench bench(t, {.pages = pages, .page_bytes = 512, .impl = "direct"});
  const auto file =
      opened(t, bench, direct_options(bench, Direct::require), "SharedFile::find_alignment",
             "pages of 512 bytes fit an alignment of 512");
  bench.kernel.clear_log();
  const std::uint64_t before = bench.raw_blocks();
  const Range one{1 + t.random().below(6), 1};
  punch_well(t, bench, *file, one);
  exactly(t, bench, one, pages, "", [&](PageId page) { return bench.raw_read(page); });
  const std::uint64_t after_one = bench.raw_blocks();
  punch_well(t, bench, *file, {8, 8});
  const std::uint64_t after_eight = bench.raw_blocks();
  if (t.holds(after_one == before && after_eight == before - 8)) return;
  t.fail({.expected = "pages of 512 bytes in blocks of 4096: one page punched frees nothing, eight "
                      "that are a whole block free 8 of 512 bytes",
          .found = fmt::format("{} and {}", before - after_one, after_one - after_eight),
          .cause = after_one == before && after_eight == after_one
                       ? "the file system zeroes a part of a block and frees a block only when one "
                         "call covers it (fallocate(2)): eight calls of one page each free nothing"
                       : "the range is another one than the operation's",
          .function = function,
          .evidence = bench.calls()});
}

namespace {

void cannot(Test& t, int os_error, Errc expected, const char* cause) {
  Bench bench(t, {.impl = "direct"});
  const auto file = opened(t, bench, direct_options(bench, Direct::require),
                           "SharedFile::open_descriptor", "nothing refuses O_DIRECT here");
  bench.kernel.clear_log();
  bench.kernel.fail_next(Call::fallocate, os_error);
  const PageId page = t.random().below(8);
  const Op op = run(t, bench, *file, {.verb = Verb::punch, .page = page});
  const bool good = op.result == expected && op.os_error == os_error;
  if (!t.holds(good && file->failed() == Errc::ok)) {
    t.fail({.expected = fmt::format("a punch that ends with {}: {}, errno {}, and the file is as "
                                    "good as before",
                                    describe(os_error), name_of(expected), os_error),
            .found = fmt::format("{}; the file is {}", text_of(op.result, op.os_error),
                                 file->failed() == Errc::ok ? "as good as before" : "poisoned"),
            .cause = cause,
            .function = function,
            .evidence = bench.calls()});
  }
  if (t.holds(bench.version_of(page, bench.raw_read(page)) == 0U)) return;
  t.fail({.expected = fmt::format("page {} is as before, its punch has failed", page),
          .found = "it has changed",
          .cause = "where holes cannot be had, nothing was asked for in their place",
          .function = function,
          .evidence = bench.calls()});
}

}  // namespace

void cannot_punch_harms_nothing(Test& t) {
  cannot(t, EOPNOTSUPP, Errc::not_available,
         "a file system without holes is no broken disk: not_available says so, and the caller can "
         "do without");
  cannot(t, ENOSPC, Errc::disk_full,
         "to cut an extent in two may take a block of its own; errc_of_io() knows the name for it");
  cannot(t, EIO, Errc::io, "EIO is EIO");
  Bench bench(t, {.impl = "direct"});
  const auto file = opened(t, bench, direct_options(bench, Direct::require),
                           "SharedFile::open_descriptor", "nothing refuses O_DIRECT here");
  bench.kernel.clear_log();
  for (int i = 0; i < 2; ++i) bench.kernel.fail_next(Call::fallocate, EINTR);
  const Op op = run(t, bench, *file, {.verb = Verb::punch, .page = 3});
  if (t.holds(op.result == Errc::ok && zeros(bench.raw_read(3)))) return;
  t.fail({.expected = "a punch that two signals interrupt ends with ok",
          .found = text_of(op.result, op.os_error),
          .cause =
              "EINTR says that nothing was done and that one may ask again; it was reported as "
              "a failure of the disk (uninterrupted() repeats a call)",
          .function = function,
          .evidence = bench.calls()});
}

void known_before_it_is_made(Test& t) {
  const auto shared = [&](const Bench& bench) {
    auto file = SharedFile::open(bench_path, bench.options(), Direct::require);
    if (!t.holds(file.has_value() && !(*file)->sparse())) {
      t.fail({.expected = "the file opens and has no holes",
              .found = file ? "sparse() is true" : file.error().text(),
              .cause = "a file that was written in full has none",
              .function = "SharedFile::open_descriptor"});
    }
    return *file;
  };
  const Op op{.verb = Verb::punch, .page = t.random().below(8)};
  {
    Bench bench(t);
    const auto file = shared(bench);
    bench.kernel.fail_next(Call::fallocate, EIO);
    (void)blocking::punch(*file, op);
    if (!t.holds(file->sparse())) {
      t.fail({.expected =
                  "after a punch that has failed with EIO the file may have holes: sparse() "
                  "is true",
              .found = "sparse() is false",
              .cause = "the file is marked only when the punch has succeeded, or never. One that "
                       "failed may have freed a part of its blocks; no write would ask for their "
                       "space, and a full disk would be found in the middle of it",
              .function = function,
              .evidence = bench.calls()});
    }
  }
  Bench bench(t);
  const auto file = shared(bench);
  bool known = false;
  bench.kernel.before_next(Call::fallocate, [&] { known = file->sparse(); });
  (void)blocking::punch(*file, op);
  if (!t.holds(known)) {
    t.fail({.expected = "when the kernel is asked for the hole, sparse() is true already",
            .found = fmt::format("false; after the punch it is {}", file->sparse()),
            .cause = "between the call and the mark another handle may write the hole, and not ask "
                     "for its space first (mark_sparse() comes before the call)",
            .function = function,
            .evidence = bench.calls()});
  }
}

}  // namespace pagealloc::labs
