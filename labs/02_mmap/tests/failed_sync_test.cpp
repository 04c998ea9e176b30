// Task 7: syncs that fail, are interrupted, or meet.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "labs/02_mmap/tests/mapped.h"
#include "labs/02_mmap/tests/tests.h"

namespace pagealloc::labs {

using conformance::Record;
using os::Call;

namespace {

/// A sync that cannot write what was stored, and how it says so.
struct BadSync {
  int os_error;
  std::uint64_t pages;
  const char* when;
};

/// EIO as a disk does it, that is by the call that waits for the page, and not by another; the
/// others as answers of the call.
Op fail_a_sync(Mapped& machine, PageFile& file, const BadSync& bad) {
  if (bad.os_error == EIO) {
    os::sim::FaultRates faults;
    faults[os::sim::Fault::sync_error] = 1;
    machine.bench.sim.set_faults(faults);
  } else {
    machine.fail_next_sync(bad.os_error);
  }
  machine.bench.kernel.clear_log();
  const Op failed = Mapped::run(file, {.verb = Verb::sync});
  machine.bench.sim.set_faults({});
  return failed;
}

std::string why_not_told(Mapped& machine, const Op& op, const BadSync& bad) {
  const auto calls = machine.bench.calls_of(Call::msync);
  if (!calls.empty() && (calls.back().flags & MS_SYNC) == 0) {
    return "msync was called with MS_ASYNC, which does nothing at all on Linux: it waits for no "
           "page, so it is told of none that was lost";
  }
  if (op.result == Errc::ok) {
    return "what the kernel answered was not looked at: the page is on no medium, and nobody will "
           "be told again";
  }
  const std::string why = bad.os_error == EIO
                              ? ""
                              : "disk_full says that nothing was changed, and here writes that "
                                "were reaped are lost, because their pages found no place. ";
  return why +
         "Of a sync only io poisons, and it names the errno: with another result the next sync "
         "would succeed, and the page is lost all the same";
}

void must_be_told(Test& t, const BadSync& bad) {
  Mapped machine(t, Mapped::setup_of(bad.pages));
  PageFile& first = machine.open(machine.options(WritePath::map));
  PageFile& second = machine.another(first);
  if (bad.pages > 0) machine.write(first, t.random().below(bad.pages), 1);
  const Op failed = fail_a_sync(machine, first, bad);
  if (!t.holds(failed.result == Errc::io && failed.os_error == bad.os_error)) {
    t.fail({.expected =
                fmt::format("{}: the sync ends with {}", bad.when, text_of(Errc::io, bad.os_error)),
            .found = text_of(failed.result, failed.os_error),
            .cause = why_not_told(machine, failed, bad),
            .function = "Engine::sync",
            .evidence = machine.bench.calls()});
  }
  machine.bench.kernel.clear_log();
  for (PageFile* file : {&first, &second}) {
    const Op again = Mapped::run(*file, {.verb = Verb::sync});
    if (!t.holds(file->failed() == Errc::poisoned && again.result == Errc::poisoned)) {
      t.fail(
          {.expected = "after a failed sync each handle says poisoned, and so does its next sync",
           .found = fmt::format("failed() says {}, the next sync {}", name_of(file->failed()),
                                text_of(again.result, again.os_error)),
           .cause = "a sync that is tried again succeeds on Linux, and the page is lost all the "
                    "same; io is the result that poisons",
           .function = "Engine::sync",
           .evidence = machine.bench.calls()});
    }
  }
  if (bad.pages == 0) return;
  std::byte* const frame = first.stage(0, 1);
  if (!t.holds(frame != first.peek(0))) {
    t.fail({.expected = "of a poisoned file no page is lent in place",
            .found = "stage(0, 1) is the page itself",
            .cause = "the write will be refused, and by then the stores are in the file",
            .function = "Engine::page_in_place",
            .evidence = machine.bench.calls()});
  }
  first.release(frame, 1);
}

}  // namespace

void failed_sync_is_told(Test& t) {
  const BadSync all[] = {
      {EIO, 8, "the disk cannot write a page"},
      {ENOSPC, 8, "write-back finds no space for a page"},
      {EDQUOT, 8, "write-back finds the quota used up"},
      {ENOSPC, 0, "the length of an empty file cannot be made durable, no space"},
  };
  for (const BadSync& bad : all) must_be_told(t, bad);
}

namespace {

/// Advice for a map that is not there any more; nullopt: none.
std::optional<Record> stray_advice(std::span<const Record> log) {
  std::vector<const std::byte*> gone;
  for (const Record& each : log) {
    if (each.call == Call::munmap) gone.push_back(each.address);
    if (each.call == Call::madvise && std::ranges::count(gone, each.address) > 0) return each;
  }
  return std::nullopt;
}

}  // namespace

void lost_is_not_served(Test& t) {
  Mapped machine(t);
  PageFile& file = machine.open(machine.options(WritePath::map));
  const PageId page = t.random().below(8);
  machine.write(file, page, 1);
  os::sim::FaultRates faults;
  faults[os::sim::Fault::sync_error] = 1;
  machine.bench.sim.set_faults(faults);
  const Op failed = Mapped::run(file, {.verb = Verb::sync});
  machine.bench.sim.set_faults({});
  if (!t.holds(failed.result == Errc::io)) {
    t.fail({.expected = "the sync of a page that cannot be written ends with io",
            .found = text_of(failed.result, failed.os_error),
            .cause = "what the kernel answered was not looked at",
            .function = "Engine::sync",
            .evidence = machine.bench.calls()});
  }
  machine.expect_page(file, page, 0,
                      {"the kernel has marked the page clean although it could not write it, so it "
                       "would serve bytes "
                       "that are on no medium. SharedFile drops them, but not while they are "
                       "mapped, and it does not "
                       "know where the map is (SharedFile::note_map)",
                       "Map::make"});
  machine.close(file);
  const auto stray = stray_advice(machine.bench.kernel.log());
  if (!t.holds(!stray.has_value())) {
    t.fail({.expected = "no advice for addresses that are not mapped any more",
            .found = fmt::format("madvise of {} bytes after their munmap", stray->bytes),
            .cause = "SharedFile still believes in the map (note_map), and by then the addresses "
                     "may be somebody else's",
            .function = "Map::~Map",
            .evidence = machine.bench.calls()});
  }
}

void interrupted_sync_is_repeated(Test& t) {
  Mapped machine(t);
  PageFile& file = machine.open(machine.options(WritePath::map));
  const char* const cause =
      "a signal came during the sync (EINTR), which is nobody's failure, and "
      "the file was declared failed for good";
  machine.write(file, t.random().below(8), 1);
  for (int i = 0; i < 2; ++i) machine.fail_next_sync(EINTR);
  machine.bench.kernel.clear_log();
  machine.sync(file, {cause, "Engine::sync"});
  const std::size_t calls =
      machine.bench.kernel.count(Call::msync) + machine.bench.kernel.count(Call::fdatasync);
  if (!t.holds(calls == 3)) {
    t.fail(
        {.expected = "a sync that is interrupted twice makes 3 calls",
         .found = fmt::format("{}", calls),
         .cause = "an interrupted call has done nothing that could be relied on: it is made again",
         .function = "Engine::sync",
         .evidence = machine.bench.calls()});
  }
  os::sim::FaultRates faults;
  faults[os::sim::Fault::interrupted] = 3;
  machine.bench.sim.set_faults(faults);
  for (int round = 0; round < 100; ++round) {
    machine.write(file, t.random().below(8), 2);
    machine.sync(file, {cause, "Engine::sync"});
  }
}

void one_sync_at_a_time(Test& t) {
  Mapped machine(t);
  PageFile& first = machine.open(machine.options(WritePath::map));
  PageFile& second = machine.another(first);
  machine.bench.kernel.clear_log();
  machine.fail_next_sync(EIO);
  machine.bench.kernel.hold_syncs(1);  // until the other is inside as well, or waits its turn
  Op results[2] = {};
  PageFile* const files[2] = {&first, &second};
  {
    std::vector<std::jthread> threads;
    for (const int i : {0, 1}) {
      threads.emplace_back([&, i] { results[i] = Mapped::run(*files[i], {.verb = Verb::sync}); });
    }
  }
  if (!t.holds(machine.bench.kernel.syncs_at_once() == 1)) {
    t.fail({.expected = "of two handles' syncs one at a time is in the kernel",
            .found = fmt::format("{} at a time", machine.bench.kernel.syncs_at_once()),
            .cause =
                "of two that are told together one gets the error and the other success, though "
                "the lost page may be its own (SharedFile::sync_group)",
            .function = "Engine::sync",
            .evidence = machine.bench.calls()});
  }
  for (const Op& op : results) {
    if (!t.holds(op.result == Errc::io || op.result == Errc::poisoned)) {
      t.fail({.expected = "of two syncs that meet, where the first fails, both say so (io or "
                          "poisoned)",
              .found = text_of(op.result, op.os_error),
              .cause =
                  "the sync after the one that failed succeeds on Linux: the kernel tells of an "
                  "error once",
              .function = "Engine::sync",
              .evidence = machine.bench.calls()});
    }
  }
}

}  // namespace pagealloc::labs
