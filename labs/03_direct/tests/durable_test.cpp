// Task 6: what has left the machine's memory is not yet on the medium.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "labs/03_direct/tests/support.h"
#include "labs/03_direct/tests/tests.h"

namespace pagealloc::labs {

using os::Call;
using os::sim::Fault;

namespace {

constexpr std::size_t cuts_count = 100;
constexpr std::size_t pages = 64;

/// In how many of these media some page is not `version`; one of them, and the page.
struct Loss {
  std::size_t count = 0;
  PageId page = 0;
  std::vector<std::byte> bytes = {};
};

Loss loss_in(const Bench& bench, std::span<const os::sim::Image> images, std::uint64_t version) {
  std::vector<std::vector<std::byte>> wanted;
  for (PageId page = 0; page < pages; ++page) wanted.push_back(pattern(page, version));
  Loss loss;
  for (const os::sim::Image& image : images) {
    for (PageId page = 0; page < pages; ++page) {
      auto found = bench.page_on(image, page);
      if (found == wanted[page]) continue;
      if (loss.count++ == 0) loss.page = page, loss.bytes = std::move(found);
      break;
    }
  }
  return loss;
}

void write_all(Test& t, Bench& bench, PageFile& file, std::uint64_t version) {
  std::vector<PageId> order(pages);
  std::iota(order.begin(), order.end(), PageId{0});
  for (std::size_t i = pages - 1; i > 0; --i) {
    std::swap(order[i], order[t.random().below(i + 1)]);
  }
  for (const PageId page : order) write_well(t, bench, file, page, version);
}

/// All is written and the sync was reaped: whatever the power leaves must be of `version`.
void must_be_durable(Test& t, Bench& bench, const Op& sync, std::uint64_t version,
                     const std::string& how) {
  if (!t.holds(sync.result == Errc::ok)) {
    t.fail({.expected = fmt::format("the sync ends with ok ({})", how),
            .found = text_of(sync.result, sync.os_error),
            .cause = "a sync is an operation like the others: blocking::execute() knows it",
            .function = "Engine::begin",
            .evidence = bench.calls()});
  }
  const auto images = bench.cuts(cuts_count);
  const Loss loss = loss_in(bench, images, version);
  if (t.holds(loss.count == 0)) return;
  const std::uint64_t older[] = {0};
  std::string picture = picture_of(loss.page, loss.bytes, version, older);
  if (picture.find("damaged") != std::string::npos) {
    picture += "a damaged sector was being written when the power went\n";
  }
  t.fail({.expected = fmt::format("{} pages of version {} after a power cut: they were written "
                                  "with O_DIRECT, and their sync was reaped ({})",
                                  pages, version, how),
          .found = fmt::format("in {} of {} power cuts there are older pages, page {} for one; the "
                               "sync made {} calls of fdatasync",
                               loss.count, cuts_count, loss.page,
                               bench.calls_of(Call::fdatasync).size()),
          .cause = "O_DIRECT was taken for durable. It passes the page cache by, not the drive's "
                   "own cache: until a flush is sent and answered, a power cut may take what was "
                   "\"written\". The sync must reach the kernel",
          .function = "Engine::begin",
          .evidence = picture + "What the machine did last, before the power went:\n" +
                      tail(bench.timeline(), 6)});
}

}  // namespace

void lost_without_a_flush(Test& t) {
  Bench bench(t, {.pages = pages, .impl = "direct"});
  const auto file = opened(t, bench, direct_options(bench, Direct::require),
                           "SharedFile::open_descriptor", "nothing refuses O_DIRECT here");
  const std::uint64_t version = 1 + t.random().below(14);
  bench.kernel.clear_log();
  write_all(t, bench, *file, version);
  const auto images = bench.cuts(cuts_count);
  if (!t.holds(loss_in(bench, images, version).count > 0)) {
    t.fail({.expected = "before the sync a power cut can take something",
            .found = fmt::format("in none of {} cuts anything is old", cuts_count),
            .cause = bench.calls_of(Call::fdatasync).empty()
                         ? "the writes went out with more than was asked for, O_DSYNC perhaps"
                         : "each write was followed by a sync of its own, for which nobody asked",
            .function = "Engine::begin",
            .evidence = tail(bench.calls(), 6)});
  }
  const Op sync = run(t, bench, *file, {.verb = Verb::sync});
  must_be_durable(t, bench, sync, version, "all by one handle");
  const auto log = bench.kernel.log();
  const bool as_few = log.size() == pages + 1 && bench.calls_of(Call::pwritev).size() == pages;
  if (!t.holds(as_few)) {
    const bool allocates = !bench.calls_of(Call::fallocate).empty();
    t.fail({.expected = fmt::format("{} writes and a sync take {} calls: {} of pwritev, one of "
                                    "fdatasync",
                                    pages, pages + 1, pages),
            .found = fmt::format("{} calls", log.size()),
            .cause = allocates ? "space is asked for where the file has no hole: sparse() says so, "
                                 "and a file that was written in full must not pay for it"
                               : "calls are made that nobody asked for",
            .function = allocates ? "blocking::fill_holes" : "Engine::begin",
            .evidence = bench.calls()});
  }
  // Now with signals and short transfers, and the sync by a handle that has written nothing.
  os::sim::FaultRates faults;
  faults[Fault::short_transfer] = 4;
  faults[Fault::interrupted] = 4;
  bench.sim.set_faults(faults);
  const auto other = file->another();
  if (!t.holds(other.has_value())) {
    t.fail({.expected = "another() makes a second handle",
            .found = other.error().text(),
            .cause = "it is given, and needs nothing of this lab",
            .function = "Engine::begin"});
  }
  write_all(t, bench, *file, version + 1);
  bench.kernel.clear_log();
  const Op second = run(t, bench, **other, {.verb = Verb::sync});
  must_be_durable(t, bench, second, version + 1,
                  "by another handle, which has written nothing itself; a sync covers what was "
                  "reaped on any of them");
}

namespace {

struct Way {
  const char* how;
  const char* impl;
  std::optional<Direct> direct;
  std::uint32_t page_bytes;
  os::sim::Machine machine;
};

void reaped_is_durable(Test& t, const Way& way) {
  Bench bench(t, {.page_bytes = way.page_bytes, .impl = way.impl, .machine = way.machine});
  Options options = bench.options();
  options.direct = way.direct;
  options.write_through = true;
  const auto file = opened(t, bench, options, "SharedFile::open_descriptor",
                           "write_through is taken by every way but the writable map");
  const PageId page = t.random().below(8);
  const std::uint64_t version = 1 + t.random().below(14);
  write_well(t, bench, *file, page, version);
  const auto images = bench.cuts(cuts_count);
  const auto lost = bench.lost(images, page, version);
  const auto opens = opens_of(bench);
  const int flags = opens.empty() ? 0 : opens.back().flags;
  const std::uint64_t older[] = {0};
  if (!t.holds(lost.count == 0)) {
    t.fail(
        {.expected = fmt::format("page {} is version {} after a power cut: the file is "
                                 "write-through and the write was reaped ({})",
                                 page, version, way.how),
         .found =
             fmt::format("in {} of {} power cuts it is older; the descriptor in use was opened "
                         "with {}",
                         lost.count, cuts_count, text_of_flags(flags)),
         .cause = (flags & O_DSYNC) == 0
                      ? "O_DSYNC was not asked for: what was reaped is in a cache, the kernel's or "
                        "the drive's. O_DIRECT does not stand in for it, and it belongs to every "
                        "descriptor of a write-through file, with O_DIRECT or without"
                      : "the write did not go through this descriptor",
         .function = "SharedFile::open_descriptor",
         .evidence = picture_of(page, lost.first, version, older) + bench.calls()});
  }
  const std::size_t syncs =
      bench.calls_of(Call::fdatasync).size() + bench.calls_of(Call::fsync).size();
  if (t.holds((flags & O_DSYNC) != 0 && syncs == 0)) return;
  t.fail({.expected = fmt::format("the page is durable by O_DSYNC alone, and the write makes no "
                                  "sync: the file is write-through ({})",
                                  way.how),
          .found = fmt::format("a descriptor opened with {}, and syncs: {} (fdatasync, fsync)",
                               text_of_flags(flags), syncs),
          .cause = "a sync was sent behind the write, for which nobody asked. With O_DSYNC the "
                   "kernel makes each write durable before it answers; a sync besides waits for "
                   "the drive a second time, and one in its place is not what write_through says",
          .function = "Engine::begin",
          .evidence = bench.calls()});
}

/// O_DSYNC speaks of writes. A new length is the sync's.
void sync_is_still_one(Test& t) {
  Bench bench(t, {.impl = "direct"});
  Options options = direct_options(bench, Direct::require);
  options.write_through = true;
  const auto file = opened(t, bench, options, "SharedFile::open_descriptor",
                           "nothing refuses O_DIRECT or O_DSYNC here");
  const std::uint64_t longer = 9 + t.random().below(8);
  const auto resized = file->resize(longer);
  bench.kernel.clear_log();
  const Op sync = run(t, bench, *file, {.verb = Verb::sync});
  std::size_t shorter = 0;
  for (const os::sim::Image& image : bench.cuts(cuts_count)) {
    if (image.files.at(bench_path).bytes.size() != longer * 4096) ++shorter;
  }
  if (t.holds(resized.has_value() && sync.result == Errc::ok && shorter == 0)) return;
  t.fail({.expected = fmt::format("{} pages after a power cut: a write-through file of 8 pages was "
                                  "made longer, and the sync after it was reaped",
                                  longer),
          .found = fmt::format("fewer in {} of {} power cuts", shorter, cuts_count),
          .cause = "the sync of a write-through file was taken for done. O_DSYNC makes writes "
                   "durable; a new length and a punched hole are not writes, and wait for the sync",
          .function = "Engine::begin",
          .evidence = bench.calls() + tail(bench.timeline(), 6)});
}

}  // namespace

void write_through_needs_none(Test& t) {
  os::sim::Machine refusing;
  refusing.refuses_direct = true;
  os::sim::Machine coarse;
  coarse.align_bytes = 4096;
  const Way ways[] = {
      {"with O_DIRECT", "direct", Direct::require, 4096, {}},
      {"impl = pread, through the page cache", "pread", std::nullopt, 4096, {}},
      {"O_DIRECT was attempted and refused", "direct", Direct::attempt, 4096, refusing},
      {"O_DIRECT was attempted and given up", "direct", Direct::attempt, 512, coarse},
  };
  for (const Way& way : ways) reaped_is_durable(t, way);
  sync_is_still_one(t);
}

}  // namespace pagealloc::labs
