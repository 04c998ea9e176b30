// Task 7: what a sync that was reaped means.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

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
         .function = "Engine::sync",
         .evidence = machine.bench.calls()});
  }
}

// --- What grows while a sync waits --------------------------------------------------------------

namespace {

/// Syncs that wait for one that is inside the kernel: some from before the file grows, and the one
/// of who has stored into the new page.
class Queue {
 public:
  static constexpr unsigned earlier = 3;  // any of the four may go next
  Queue(Mapped& machine, PageFile& file, PageFile& grower)
      : machine_(machine), grower_(grower), page_(file.pages()) {
    for (unsigned i = 0; i < earlier; ++i) add(machine.another(file), others_may_come_);
    add(machine.another(file), last_may_come_);
  }

  /// One sync of `file`, interrupted twice: each time whoever is to wait for it has come.
  Op run(PageFile& file) {
    for (const Call call : {Call::msync, Call::fdatasync}) {
      machine_.bench.kernel.before_next(call, [this] { let(others_may_come_, earlier); });
      machine_.bench.kernel.before_next(call, [this] { grow(); });
      machine_.bench.kernel.before_next(call, [this] { go_on(); });
    }
    const Op op = Mapped::run(file, {.verb = Verb::sync});
    for (std::atomic<bool>* const gate : {&others_may_come_, &last_may_come_}) open(*gate);
    threads_.clear();
    return op;
  }
  const std::vector<Op>& ended() const { return ended_; }

 private:
  void add(PageFile& file, std::atomic<bool>& gate) {
    const std::size_t place = threads_.size();
    threads_.emplace_back([this, &file, &gate, place] {
      gate.wait(false);
      ended_[place] = Mapped::run(file, {.verb = Verb::sync});
    });
  }
  static void open(std::atomic<bool>& gate) {
    gate = true;
    gate.notify_all();
  }
  void interrupted(std::uint32_t one_in) {
    os::sim::FaultRates faults;
    faults[os::sim::Fault::interrupted] = one_in;
    machine_.bench.sim.set_faults(faults);
  }
  /// The call that is inside comes back with EINTR, and its next try is held until `waiting` wait.
  void let(std::atomic<bool>& gate, unsigned waiting) {
    machine_.bench.kernel.hold_syncs(waiting);
    interrupted(1);
    open(gate);
  }
  void grow() {
    interrupted(0);
    if (grower_.resize(page_ + 1)) machine_.write(grower_, page_, 1);
    let(last_may_come_, earlier + 1);
  }
  void go_on() {
    interrupted(0);
    machine_.bench.kernel.hold_syncs(0);
  }

  Mapped& machine_;
  PageFile& grower_;
  PageId page_;
  std::atomic<bool> others_may_come_{false};
  std::atomic<bool> last_may_come_{false};
  std::vector<Op> ended_ = std::vector<Op>(earlier + 1);
  std::vector<std::jthread> threads_;
};

}  // namespace

void growth_is_covered(Test& t) {
  constexpr int rounds = 6;  // which of those that wait goes next is the host's choice
  constexpr std::size_t cuts_a_round = 50;
  Mapped machine(t);
  PageFile& file = machine.open(machine.options(WritePath::map));
  PageFile& grower = machine.another(file);
  for (int round = 0; round < rounds; ++round) {
    const PageId page = file.pages();
    Queue queue(machine, file, grower);
    machine.bench.kernel.clear_log();
    const Op first = queue.run(file);
    const bool ok =
        std::ranges::all_of(queue.ended(), [](const Op& op) { return op.result == Errc::ok; });
    if (!t.holds(first.result == Errc::ok && ok)) {
      t.fail({.expected = "five syncs, of which four wait for the first, end with ok",
              .found = "not all of them do",
              .cause = no_reason.cause,
              .function = no_reason.function,
              .evidence = machine.bench.calls()});
    }
    const auto lost = machine.bench.lost(machine.bench.cuts(cuts_a_round), page, 1);
    if (!t.holds(lost.count == 0)) {
      t.fail({.expected = fmt::format("page {} is there after the power cut: the file was made "
                                      "longer by it, it was written, and then its sync was reaped",
                                      page),
              .found = fmt::format("it is not in {} of {} power cuts", lost.count, cuts_a_round),
              .cause = "the sync that was made for all that waited had taken the file's length "
                       "before it waited, and the file grew meanwhile: the length is asked for "
                       "inside of what is given to SyncGroup::run",
              .function = "Engine::sync",
              .evidence = machine.bench.calls()});
    }
  }
}

}  // namespace pagealloc::labs
