// Task 6: what a write has left to do.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "labs/02_mmap/tests/mapped.h"
#include "labs/02_mmap/tests/tests.h"

namespace pagealloc::labs {

using conformance::Record;
using os::Call;

namespace {

constexpr std::uint64_t page_bytes = 4096;
constexpr PageId pages = 64;

/// Fills and writes all pages; the system calls that it took.
std::uint64_t write_all(Mapped& machine, PageFile& file, std::uint64_t version) {
  machine.bench.kernel.clear_log();
  const std::uint64_t before = machine.bench.sim.calls().total();
  for (PageId page = 0; page < pages; ++page) machine.write(file, page, version);
  return machine.bench.sim.calls().total() - before;
}

/// Fills memory of the caller's with `run` pages and writes them from there.
Op write_from(PageFile& file, PageId page, std::uint32_t run, Memory& memory,
              std::uint64_t version) {
  for (std::uint32_t i = 0; i < run; ++i) {
    std::ranges::copy(pattern(page + i, version), memory.data() + i * page_bytes);
  }
  return Mapped::run(file, {.verb = Verb::write, .run = run, .page = page, .frame = memory.data()});
}

}  // namespace

void store_is_the_write(Test& t) {
  Mapped machine(t, Mapped::setup_of(pages));
  PageFile& stores = machine.open(machine.options(WritePath::map));
  machine.touches.forget();
  const std::uint64_t calls = write_all(machine, stores, 1);
  if (!t.holds(calls == 0)) {
    t.fail({.expected = "64 pages stored to and written on the map path: 0 system calls",
            .found = fmt::format("{} system calls, {} of them pwritev", calls,
                                 machine.bench.kernel.count(Call::pwritev)),
            .cause = "the page that was stored to is written once more by a call; on the map path "
                     "the stores were the write",
            .function = "Engine::begin",
            .evidence = machine.bench.calls()});
  }
  if (!t.holds(machine.touches.count() == pages)) {
    t.fail({.expected = "64 page faults: one for each page that was stored to",
            .found = fmt::format("{}", machine.touches.count()),
            .cause = "a write looks at nothing but the page's address",
            .function = "Engine::write"});
  }
  for (PageId page = 0; page < pages; ++page) {
    machine.expect_in_file(page, 1, {"what was stored is not in the file", "Engine::write"});
  }
  PageFile& writes = machine.open(machine.options(WritePath::pwrite));
  t.expect_trouble(
      "a write of the pwrite path was made by a store; its map is for reading, and there a write "
      "is "
      "a call");
  const std::uint64_t written = write_all(machine, writes, 2);
  t.expect_trouble("");
  if (!t.holds(written == pages && machine.bench.kernel.count(Call::pwritev) == pages)) {
    t.fail({.expected = "64 pages written on the pwrite path: 64 system calls, all pwritev",
            .found = fmt::format("{} system calls, {} of them pwritev", written,
                                 machine.bench.kernel.count(Call::pwritev)),
            .cause = "on the pwrite path an engine with a map writes like any other "
                     "(blocking::execute)",
            .function = "Engine::begin",
            .evidence = machine.bench.calls()});
  }
  for (PageId page = 0; page < pages; ++page) {
    machine.expect_in_file(page, 2, {"what was written is not in the file", "Engine::begin"});
  }
}

void run_is_copied_whole(Test& t) {
  Mapped machine(t);
  PageFile& file = machine.open(machine.options(WritePath::map));
  const PageId first = 1 + t.random().below(4);
  machine.bench.kernel.clear_log();
  Memory memory(3 * page_bytes);
  const Op op = write_from(file, first, 3, memory, 1);
  if (!t.holds(op.result == Errc::ok)) {
    t.fail({.expected = "a write of three pages from the caller's memory ends with ok",
            .found = text_of(op.result, op.os_error),
            .cause = "memory of the caller's is as good as a frame",
            .function = "Engine::write",
            .evidence = machine.bench.calls()});
  }
  for (PageId page = first; page < first + 3; ++page) {
    machine.expect_in_file(
        page, 1,
        {fmt::format("of a run of three pages, from page {}, not all were copied, and the write "
                     "was reported as done",
                     first),
         "Engine::write"});
  }
  for (const PageId page : {first - 1, first + 3}) {
    machine.expect_in_file(page, 0, {"more was copied than the run", "Engine::write"});
  }
}

namespace {

/// Whoever is told something else than "disk full" by fallocate has no space either.
void no_space_no_copy(Test& t, PageId page) {
  Mapped machine(t, Mapped::setup_with_hole(8, page));
  PageFile& file = machine.open(machine.options(WritePath::map));
  Memory memory(page_bytes);
  machine.bench.kernel.clear_log();
  machine.bench.kernel.fail_next(Call::fallocate, EIO);
  const Op failed = write_from(file, page, 1, memory, 1);
  if (!t.holds(failed.result == Errc::io && failed.os_error == EIO)) {
    t.fail({.expected = fmt::format("the disk fails when the space of page {} is asked for "
                                    "(fallocate says EIO): the write ends with {}",
                                    page, text_of(Errc::io, EIO)),
            .found = text_of(failed.result, failed.os_error),
            .cause = "\"disk full\" is one of the things that fill_holes can say, and not the only "
                     "one that means that the space is not there",
            .function = "Engine::write",
            .evidence = machine.bench.calls()});
  }
  if (!t.holds(file.failed() == Errc::poisoned)) {
    t.fail({.expected = "a write that ended with io poisons: failed() says poisoned",
            .found = std::string(name_of(file.failed())),
            .cause = "SharedFile::settle does it, which end() calls with the result",
            .function = "Engine::begin",
            .evidence = machine.bench.calls()});
  }
}

}  // namespace

void space_comes_first(Test& t) {
  const PageId page = 1 + t.random().below(6);
  Mapped machine(t, Mapped::setup_with_hole(8, page));
  PageFile& file = machine.open(machine.options(WritePath::map));
  Memory memory(page_bytes);
  machine.bench.kernel.clear_log();
  machine.bench.kernel.fail_next(Call::fallocate, ENOSPC);
  const Op full = write_from(file, page, 1, memory, 1);
  if (!t.holds(full.result == Errc::disk_full && file.failed() == Errc::ok)) {
    t.fail({.expected = "a write into a hole of a full disk ends with disk_full, and the file goes "
                        "on",
            .found = fmt::format("{}; failed() says {}", text_of(full.result, full.os_error),
                                 name_of(file.failed())),
            .cause =
                "nobody asked for the block: a copy into a hole of a full disk is a SIGBUS, and "
                "only a call can say \"disk full\" (blocking::fill_holes)",
            .function = "Engine::write",
            .evidence = machine.bench.calls()});
  }
  const auto found = machine.bench.raw_read(page);
  const bool zeros = std::ranges::all_of(found, [](std::byte b) { return b == std::byte{0}; });
  if (!t.holds(zeros)) {
    t.fail({.expected = fmt::format("page {} is a hole still, after \"disk full\"", page),
            .found = "it has the bytes of the write that was refused",
            .cause = "\"disk full, nothing was changed\" was said of a page that had been changed: "
                     "the copy comes before the space",
            .function = "Engine::write",
            .evidence = picture_of(page, found, 0, std::vector<std::uint64_t>{1})});
  }
  machine.bench.kernel.clear_log();
  const Op again = write_from(file, page, 1, memory, 2);
  const auto asked = machine.bench.calls_of(Call::fallocate);
  const bool exact = asked.size() == 1 && asked[0].flags == 0 &&
                     asked[0].offset == page * page_bytes && asked[0].bytes == page_bytes;
  if (!t.holds(again.result == Errc::ok && exact)) {
    t.fail({.expected = fmt::format("written again: ok, and one fallocate of page {}", page),
            .found = text_of(again.result, again.os_error),
            .cause = "the space is asked for where the page is, and only there",
            .function = "Engine::write",
            .evidence = machine.bench.calls()});
  }
  machine.expect_in_file(page, 2, {"the bytes were not copied", "Engine::write"});
  no_space_no_copy(t, page);
}

namespace {

/// A disk that fails under the copy is the same signal; the file has kept its length.
void copy_into_a_bad_disk(Test& t) {
  Mapped machine(t);
  PageFile& file = machine.open(machine.options(WritePath::map));
  const PageId page = t.random().below(8);
  machine.bench.raw_resize(0);
  machine.bench.kernel.pretend_length(8 * page_bytes);
  machine.bench.kernel.clear_log();
  Memory memory(page_bytes);
  t.expect_trouble("the disk failed under the copy, and the range is not guarded");
  const Op op = write_from(file, page, 1, memory, 1);
  t.expect_trouble("");
  if (t.holds(op.result == Errc::io)) return;
  t.fail({.expected = fmt::format("the disk fails while page {} is copied to (SIGBUS, and the file "
                                  "is as long as it was): the write ends with io",
                                  page),
          .found = text_of(op.result, op.os_error),
          .cause =
              "SharedFile::failed says what the copy ran into, and that need not be the end of "
              "the file: an io that is told as something else poisons nothing",
          .function = "Engine::write",
          .evidence = machine.bench.calls()});
}

/// Another handle's write, of another page, fails just before this one copies.
void copy_beside_a_failure(Test& t) {
  const PageId page = t.random().below(8);
  Mapped machine(t, Mapped::setup_with_hole(8, page));
  PageFile& file = machine.open(machine.options(WritePath::map));
  PageFile& other = machine.another(file);
  Memory memory(page_bytes);
  Memory memory_of_other(page_bytes);
  Op failed;
  machine.bench.kernel.clear_log();
  machine.bench.kernel.before_next(Call::fallocate, [&] {
    machine.bench.kernel.fail_next(Call::fallocate, EIO);
    failed = write_from(other, (page + 1) % 8, 1, memory_of_other, 2);
  });
  const Op op = write_from(file, page, 1, memory, 1);
  const Op synced = Mapped::run(file, {.verb = Verb::sync});
  if (!t.holds(op.result == Errc::ok)) {
    t.fail({.expected = fmt::format("another handle's write ends with {} while page {} is written: "
                                    "this write, whose copy was made, ends with ok",
                                    name_of(failed.result), page),
            .found = text_of(op.result, op.os_error),
            .cause = "the file is poisoned by the other's failure, and this copy ran into nothing; "
                     "who syncs is told",
            .function = "Engine::write",
            .evidence = machine.bench.calls()});
  }
  if (!t.holds(synced.result == Errc::poisoned)) {
    t.fail({.expected = "the next sync says poisoned",
            .found = text_of(synced.result, synced.os_error),
            .cause = "SharedFile refuses it, if the other handle's io has poisoned: see test 6.3",
            .function = "Engine::begin",
            .evidence = machine.bench.calls()});
  }
}

}  // namespace

void copy_into_the_end_is_no_success(Test& t) {
  Mapped machine(t);
  PageFile& file = machine.open(machine.options(WritePath::map));
  const PageId page = t.random().below(8);
  machine.bench.raw_resize(0);
  machine.bench.kernel.clear_log();
  Memory memory(page_bytes);
  t.expect_trouble("the copy ran into the end of the file, and the range is not guarded");
  const Op op = write_from(file, page, 1, memory, 1);
  t.expect_trouble("");
  if (!t.holds(op.result == Errc::truncated)) {
    t.fail({.expected = fmt::format("the write of page {}, which somebody has cut off, ends with "
                                    "truncated",
                                    page),
            .found = text_of(op.result, op.os_error),
            .cause = "the bytes went into a page of zeros that nobody will ever write, and the "
                     "write was reported as done: what the copy ran into was not looked at "
                     "(SharedFile::failed)",
            .function = "Engine::write",
            .evidence = machine.bench.calls()});
  }
  const Op synced = Mapped::run(file, {.verb = Verb::sync});
  if (!t.holds(synced.result == Errc::truncated)) {
    t.fail({.expected = "a sync of the file says truncated, too",
            .found = text_of(synced.result, synced.os_error),
            .cause = "SharedFile refuses it",
            .function = "Engine::begin"});
  }
  copy_into_a_bad_disk(t);
  copy_beside_a_failure(t);
}

}  // namespace pagealloc::labs
