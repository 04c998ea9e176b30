// Task 7: what a sync that was reaped means.
#include <fmt/format.h>

#include "labs/02_mmap/tests/mapped.h"
#include "labs/02_mmap/tests/tests.h"

namespace pagealloc::labs {

using conformance::Record;
using os::Call;

namespace {

constexpr std::size_t cuts = 200;

const Blame no_reason = {"nothing went wrong here, and the sync says that something did",
                         "Engine::sync"};

/// What the calls say about why a page was lost.
std::string cause_of_loss(Mapped& machine) {
  const auto calls = machine.bench.calls_of(Call::msync);
  if (calls.empty()) {
    return "no msync was made, and what is in the page cache goes with the power";
  }
  if ((calls.back().flags & MS_SYNC) == 0) {
    return "msync was called with MS_ASYNC, which does nothing at all on Linux: it starts no "
           "writing and waits for none";
  }
  return fmt::format(
      "msync was called for {} bytes, and the stores are elsewhere: the kernel knows "
      "which pages are dirty, so the range is the whole file",
      calls.back().bytes);
}

void expect_durable(Test& t, Mapped& machine, std::span<const os::sim::Image> images, PageId page,
                    std::uint64_t version) {
  const auto lost = machine.bench.lost(images, page, version);
  if (t.holds(lost.count == 0)) return;
  t.fail({.expected = fmt::format("page {} is version {} after the power cut, its sync was reaped",
                                  page, version),
          .found = fmt::format("it is not in {} of {} power cuts", lost.count, cuts),
          .cause = cause_of_loss(machine),
          .function = "Engine::sync",
          .evidence = picture_of(page, lost.first, version, std::vector<std::uint64_t>{0, 1}) +
                      "\n" + machine.bench.calls()});
}

}  // namespace

void one_call_for_all_stores(Test& t) {
  constexpr PageId pages = 64;
  Mapped machine(t, Mapped::setup_of(pages));
  struct Case {
    WritePath write_path;
    std::uint64_t calls;
    const char* name;
    const char* cause;
  };
  const Case all[] = {
      {WritePath::map, 1, "64 writes and a sync on the map path: 1 system call",
       "the kernel finds the dirty pages of a range by itself; asked page by page it would empty "
       "the drive's cache once for each"},
      {WritePath::pwrite, pages + 1, "64 writes and a sync on the pwrite path: 65 system calls",
       "on the pwrite path a sync is one fdatasync (blocking::execute)"},
  };
  for (const Case& each : all) {
    PageFile& file = machine.open(machine.options(each.write_path));
    machine.bench.kernel.clear_log();
    const std::uint64_t before = machine.bench.sim.calls().total();
    for (PageId page = 0; page < pages; ++page) machine.write(file, page, 1);
    machine.sync(file, no_reason);
    const std::uint64_t calls = machine.bench.sim.calls().total() - before;
    const std::uint64_t syncs = machine.bench.kernel.count(Call::msync) +
                                machine.bench.kernel.count(Call::fdatasync) +
                                machine.bench.kernel.count(Call::fsync);
    if (!t.holds(calls == each.calls && syncs == 1)) {
      t.fail({.expected = each.name,
              .found = fmt::format("{} system calls, {} of them syncs", calls, syncs),
              .cause = each.cause,
              .function = syncs == 1 ? "Engine::begin" : "Engine::sync",
              .evidence = machine.bench.calls()});
    }
  }
}

void synced_survives_power_cuts(Test& t) {
  constexpr PageId pages = 16;
  Mapped machine(t, Mapped::setup_of(pages));
  PageFile& first = machine.open(machine.options(WritePath::map));
  PageFile& second = machine.another(first);
  for (const bool kernel_writes : {false, true}) {
    const std::uint64_t version = kernel_writes ? 2 : 1;
    os::sim::FaultRates faults;
    faults.write_back_one_in = kernel_writes ? 3 : 0;  // and some pages are written before
    machine.bench.sim.set_faults(faults);
    machine.bench.kernel.clear_log();
    for (PageId page = 0; page < pages; ++page) {
      machine.write(page % 2 == 0 ? first : second, page, version);
    }
    machine.sync(second, no_reason);  // all handles' stores
    const auto images = machine.bench.cuts(cuts);
    for (PageId page = 0; page < pages; ++page) expect_durable(t, machine, images, page, version);
  }
  // Copied into a new block, from a frame.
  const PageId hole = t.random().below(pages);
  Mapped holed(t, Mapped::setup_with_hole(pages, hole));
  PageFile& file = holed.open(holed.options(WritePath::map));
  holed.write(file, hole, 3);
  holed.sync(file, no_reason);
  expect_durable(t, holed, holed.bench.cuts(cuts), hole, 3);
}

void empty_file_is_synced(Test& t) {
  Mapped machine(t);
  PageFile& file = machine.open(machine.options(WritePath::map));
  const auto cut = file.resize(0);
  if (!t.holds(cut.has_value())) {
    t.fail({.expected = "resize to 0 pages succeeds",
            .found = cut.error().text(),
            .cause = "no page is lent and none in flight",
            .function = "Map::make"});
  }
  machine.bench.kernel.clear_log();
  machine.sync(file, no_reason);
  std::size_t longer = 0;
  for (const auto& image : machine.bench.cuts(cuts)) {
    const auto found = image.files.find(bench_path);
    if (found != image.files.end() && !found->second.bytes.empty()) ++longer;
  }
  if (!t.holds(longer == 0)) {
    t.fail(
        {.expected = "the file is empty after the power cut, its sync was reaped",
         .found = fmt::format("it has its 8 pages again in {} of {} power cuts", longer, cuts),
         .cause = machine.bench.kernel.count(Call::msync) > 0
                      ? "msync of 0 bytes returns without doing anything: nothing is mapped that "
                        "could be written, and the file's length is not the map's business"
                      : "nothing was called; the length of an empty file must become durable, "
                        "too",
         .function = "Engine::begin",
         .evidence = machine.bench.calls()});
  }
}

}  // namespace pagealloc::labs
