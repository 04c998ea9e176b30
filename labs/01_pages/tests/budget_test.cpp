// Task 8: all together, in rough weather and in fine.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "labs/01_pages/tests/common.h"
#include "labs/01_pages/tests/tests.h"

namespace pagealloc::labs {

using os::Call;
using os::sim::Fault;

namespace {

constexpr const char* rough_path = "/d/rough.pa";
constexpr std::uint64_t rough_pages = 32;
constexpr int operations = 200;
constexpr int sync_every = 16;

/// A file whose every second call is interrupted and every second transfer short, and what it must
/// hold by now.
class Rough {
 public:
  explicit Rough(Test& t) : t_(t), bench_(t), model_(rough_pages) {
    os::sim::FaultRates faults;
    faults[Fault::interrupted] = 2;
    faults[Fault::short_transfer] = 2;
    bench_.sim.set_faults(faults);
    Options options = bench_.options();
    options.create = true;
    options.sync_at_open = true;
    auto file = open(rough_path, options);
    if (!t.holds(file.has_value())) failed("open", file.error().code, file.error().os_error);
    file_ = std::move(*file);
    const auto resized = file_->resize(rough_pages);
    if (!t.holds(resized.has_value())) {
      failed("resize", resized.error().code, resized.error().os_error);
    }
    for (PageId page = 0; page < rough_pages; page += 4) write(page, 4);
    sync();
  }
  /// Reads and writes in turn, so that every seed makes as many checks.
  void operation() {
    const auto run = static_cast<std::uint32_t>(1 + t_.random().below(4));
    const PageId page = t_.random().below(rough_pages - run + 1);
    if (count_ % 2 == 0) {
      write(page, run);
    } else {
      read(page, run);
    }
  }
  void sync() {
    what_ = "sync";
    begin();
    finish(done(*file_, {.verb = Verb::sync}).op);
    for (const auto& image : bench_.cuts(8)) check_medium(image);
  }

 private:
  void begin() {
    ++count_;
    bench_.kernel.clear_log();
  }
  void write(PageId page, std::uint32_t run) {
    what_ = fmt::format("write of {}", pages_text(page, run));
    begin();
    for (PageId each = page; each < page + run; ++each) model_[each] = 1 + t_.random().below(15);
    std::size_t at = 0;
    for (PageId each = page; each < page + run; ++each, at += 4096) {
      const auto bytes = pattern(each, model_[each]);
      std::memcpy(memory_.data() + at, bytes.data(), bytes.size());
    }
    finish(
        done(*file_, {.verb = Verb::write, .run = run, .page = page, .frame = memory_.data()}).op);
  }
  void read(PageId page, std::uint32_t run) {
    what_ = fmt::format("read of {}", pages_text(page, run));
    begin();
    const Done read = done(*file_, {.verb = Verb::read, .run = run, .page = page});
    finish(read.op);
    std::vector<std::byte> expected;
    for (PageId each = page; each < page + run; ++each) {
      const auto bytes = pattern(each, model_[each]);
      expected.insert(expected.end(), bytes.begin(), bytes.end());
    }
    if (t_.holds(read.bytes == expected)) return;
    t_.fail({.expected = fmt::format("operation {}, {}: the bytes that were last written there",
                                     count_, what_),
             .found = "ok, with other bytes",
             .cause = "an interrupted or a short call has moved a part to the wrong place, here or "
                      "in an earlier write",
             .function = "move_all",
             .evidence = bench_.calls()});
  }
  void finish(const Op& op) {
    if (!t_.holds(op.result == Errc::ok)) failed(what_, op.result, op.os_error);
  }
  [[noreturn]] void failed(const std::string& what, Errc result, int os_error) {
    const auto log = bench_.kernel.log();
    const auto interrupted =
        std::ranges::count_if(log, [](const auto& record) { return record.result == -EINTR; });
    t_.fail({.expected = fmt::format("operation {}, {}: ok. Interrupted calls and short transfers "
                                     "are no errors",
                                     count_, what),
             .found = fmt::format("{}, after {} EINTR", text_of(result, os_error), interrupted),
             .cause = "the number of repetitions is limited, or one kind of call is not repeated. "
                      "A signal may come any number of times",
             .function = what == "open" ? "SharedFile::sync_name"
                                        : (what == "sync" ? "blocking::sync" : "move_all"),
             .evidence = bench_.calls()});
  }
  void check_medium(const os::sim::Image& image) {
    bool good = true;
    PageId first = 0;
    for (PageId page = 0; good && page < rough_pages; ++page) {
      good = bench_.page_on(image, page, rough_path) == pattern(page, model_[page]);
      first = page;
    }
    if (t_.holds(good)) return;
    t_.fail({.expected = fmt::format("operation {}, a sync: after a power cut the medium has what "
                                     "was written",
                                     count_),
             .found = fmt::format("page {} is another", first),
             .cause = "the sync was acknowledged, and not all that was written before is durable",
             .function = "blocking::sync",
             .evidence =
                 bench_.calls() +
                 picture_of(first, bench_.page_on(image, first, rough_path), model_[first], {})});
  }

  Test& t_;
  Bench bench_;
  std::vector<std::uint64_t> model_;
  Memory memory_{4 * 4096};
  std::unique_ptr<PageFile> file_;
  std::string what_;
  int count_ = 0;
};

}  // namespace

void rough_weather(Test& t) {
  Rough rough(t);
  for (int i = 1; i <= operations; ++i) {
    rough.operation();
    if (i % sync_every == 0) rough.sync();
  }
}

namespace {

constexpr std::uint64_t reads = 100;
constexpr std::uint64_t writes = 64;

/// Opens the file, reads and writes one page at a time, syncs once, and closes.
void use(Test& t, Bench& bench) {
  Options options = bench.options();
  options.sync_at_open = true;
  const auto file = file_opened(t, bench, options);
  Memory memory(4096);
  const auto check = [&](const Op& op) {
    if (t.holds(op.result == Errc::ok)) return;
    t.fail({.expected = fmt::format("{} of page {}: ok", name_of(op.verb), op.page),
            .found = text_of(op.result, op.os_error),
            .cause = "nothing has failed on this machine",
            .function = "SharedFile::settle",
            .evidence = bench.calls()});
  };
  for (std::uint64_t i = 0; i < reads; ++i) {
    check(done(*file, {.verb = Verb::read, .page = t.random().below(8)}).op);
  }
  for (std::uint64_t i = 0; i < writes; ++i) {
    const PageId page = t.random().below(8);
    fill(memory, page, 1, 1 + i);
    check(done(*file, {.verb = Verb::write, .page = page, .frame = memory.data()}).op);
  }
  check(done(*file, {.verb = Verb::sync}).op);
}

struct Budget {
  Call call;
  std::uint64_t most;
  const char* cause;
  const char* function;
};

}  // namespace

void budget_of_calls(Test& t) {
  const char* const once = "open() syncs the file once and its directory once";
  const char* const write_promises =
      "a write is in the page cache when it returns, and that is all that it promises. Who needs "
      "more syncs, once for many writes";
  const char* const nobody = "nothing was asked for that needs this call";
  const Budget budgets[] = {
      {Call::open, 2, "the file is opened once and its directory once", "SharedFile::sync_name"},
      {Call::statx, 2, nobody, "SharedFile::make_durable"},
      {Call::ioctl, 1, nobody, "SharedFile::make_durable"},
      {Call::readlink, 1, "own_name() is asked once", "SharedFile::sync_name"},
      {Call::preadv, reads, "a transfer that is not cut short is one call", "move_all"},
      {Call::pwritev, writes, "a transfer that is not cut short is one call", "move_all"},
      {Call::fdatasync, 1, write_promises, "blocking::write"},
      {Call::fsync, 2, once, "SharedFile::make_durable"},
      {Call::fallocate, 0, "this file has no holes", "blocking::write"},
      {Call::syncfs, 0, "the directory can be read, so it is synced by itself",
       "SharedFile::sync_name"},
      {Call::ftruncate, 0, nobody, "blocking::write"},
      {Call::fadvise, 0, "nothing has failed, so there is nothing to forget", "SharedFile::settle"},
      {Call::msync, 0, nobody, "blocking::sync"},
  };
  Bench bench(t);
  const os::CallCounts before = bench.sim.calls();
  use(t, bench);
  const os::CallCounts after = bench.sim.calls();
  const auto made = [&](Call call) { return after[call] - before[call]; };
  for (const Budget& each : budgets) {
    if (t.holds(made(each.call) <= each.most)) continue;
    const char* const name = os::call_names[static_cast<std::size_t>(each.call)];
    t.fail({.expected = fmt::format("at most {} for {} reads, {} writes and one sync",
                                    calls_text(each.most, name), reads, writes),
            .found = calls_text(made(each.call), name),
            .cause = each.cause,
            .function = each.function,
            .evidence = bench.calls()});
  }
}

}  // namespace pagealloc::labs
