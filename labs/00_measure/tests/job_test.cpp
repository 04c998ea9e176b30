// Tasks 5 to 7: the same job on both sides, durable when it is said, and used what is read.
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "labs/00_measure/tests/tests.h"

namespace pagealloc::labs {

using namespace measure;

namespace {

struct Compared {
  std::unique_ptr<CountedBench> bench;
  Report report;
  std::string evidence;
  const CountedBench::Section& side(std::size_t index) const { return bench->sections()[index]; }
};

/// Whether the kernel was told of such an event in this section.
bool had(CountedBench& bench, const CountedBench::Section& section, std::string_view what) {
  const std::span events(bench.sim.trace().events());
  const auto all = events.subspan(section.first_event, section.last_event - section.first_event);
  return std::ranges::any_of(all, [&](const auto& event) { return event.what == what; });
}

Compared compare(Test& t) {
  const Claim& claim = program_of('d').claim;
  auto bench =
      std::make_unique<CountedBench>(CountedBench::Setup{.seed = t.seed(), .claim = claim});
  const Report report = run_mended(t, *bench, mended_d, "mended_d");
  const std::size_t sections = bench->sections().size();
  if (!t.holds(sections == 2)) {
    t.fail(
        {.expected = "two measured sections, one for each side",
         .found = fmt::format("{}", sections),
         .cause = "read_side() makes a section; it is called once for pread and once for the ring",
         .function = "mended_d"});
  }
  const bool rings[] = {had(*bench, bench->sections()[0], "ring read"),
                        had(*bench, bench->sections()[1], "ring read")};
  if (!t.holds(rings[0] != rings[1])) {
    t.fail({.expected = "one side reads by pread, the other by the ring",
            .found = rings[0] ? "both by the ring" : "neither by the ring",
            .cause = "the claim compares the two; a side compared with itself says nothing",
            .function = "mended_d"});
  }
  std::string evidence;
  for (const auto& side : bench->sections()) {
    evidence += fmt::format(
        "{:<8} {} pages in the page cache at start(), {} reads of the device, "
        "{} in flight on average, {:.1f} us\n",
        side.name, side.pages_cached, side.device_reads(), side.in_flight(),
        static_cast<double>(side.ended_ns - side.begun_ns) / 1000);
  }
  return {std::move(bench), report, std::move(evidence)};
}

}  // namespace

void as_many_in_flight(Test& t) {
  const Compared run = compare(t);
  const std::uint64_t few = std::min(run.side(0).in_flight(), run.side(1).in_flight());
  const std::uint64_t many = std::max(run.side(0).in_flight(), run.side(1).in_flight());
  // Who has read from memory had nothing in flight; that is for 5.2 to say.
  const bool device = run.side(0).device_reads() > 0 && run.side(1).device_reads() > 0;
  if (!t.holds(!device || few * 5 >= many * 4)) {
    t.fail(
        {.expected = fmt::format("as many reads in flight on both sides, or at least four fifths "
                                 "of the other side's {}",
                                 many),
         .found = fmt::format("{} on one side, {} on the other", few, many),
         .cause =
             few == 1
                 ? "one read at a time is in flight there: 32 threads with one read to do, or 32 "
                   "reads to do and one thread, are one in flight"
                 : "neither threads nor depth are what the device has at a time; it has as many "
                   "reads as there are threads that find one to do, and of a ring as many as "
                   "were begun",
         .function = "mended_d",
         .evidence = run.evidence});
  }
}

void both_sides_read_the_device(Test& t) {
  const Compared run = compare(t);
  const std::uint64_t pages = run.bench->pages();
  const std::uint64_t one = run.side(0).device_reads();
  const std::uint64_t other = run.side(1).device_reads();
  if (!t.holds(one == pages && other == pages)) {
    t.fail({.expected = fmt::format("{} reads of the device on each side", pages),
            .found =
                fmt::format("{} for {}, {} for {}", one, run.side(0).name, other, run.side(1).name),
            .cause =
                "a side found pages in the page cache: they were there from the filling of the "
                "file, or the other side has read them",
            .function = "mended_d",
            .evidence = run.evidence});
  }
  const std::uint64_t cached = run.side(0).pages_cached;
  const std::uint64_t cached_then = run.side(1).pages_cached;
  if (!t.holds(cached == cached_then)) {
    t.fail({.expected = "as many pages in the page cache at start() of both sides",
            .found = fmt::format("{} for {}, {} for {}", cached, run.side(0).name, cached_then,
                                 run.side(1).name),
            .cause =
                "the first side left in the page cache what it read. Reads past the page cache "
                "did not find it here, but some file systems answer such reads from it; drop "
                "the file before each side",
            .function = "mended_d",
            .evidence = run.evidence});
  }
  if (!t.holds(run.report.sum == run.bench->right_sum())) {
    t.fail(
        {.expected = fmt::format("sum {:#x}, of what both sides have read", run.bench->right_sum()),
         .found = fmt::format("sum {:#x}, which is of {}", run.report.sum,
                              run.bench->meaning_of(run.report.sum)),
         .cause = "a comparison reports the bytes of both its sides, or nobody knows that they "
                  "did the same job",
         .function = "mended_d",
         .evidence = run.evidence});
  }
  const Claim& claim = program_of('d').claim;
  check_refused_advice(t, mended_d, "mended_d", claim,
                       [](const Counts& warm) { return warm.device_reads == warm.pages; });
  check_failing_reads(t, mended_d, claim, "mended_d");
}

void durable_when_done(Test& t) {
  const Claim& claim = program_of('e').claim;
  CountedBench bench({.seed = t.seed(), .claim = claim, .judge_done = true});
  const Report report = run_mended(t, bench, mended_e, "mended_e");
  const Counts counts = bench.counts(report);
  const CountedBench::Lost lost = bench.lost().value_or(CountedBench::Lost{});
  const std::size_t begun = bench.sections().front().first_event;
  const std::size_t since_start = lost.event < begun ? 0 : lost.event - begun;
  if (!t.holds(!bench.lost().has_value())) {
    t.fail({.expected =
                fmt::format("page {}, which counts as done, is there after a power cut", lost.page),
            .found = fmt::format("it holds something else; syncs that had ended by then: {}",
                                 lost.flushes),
            .cause = lost.flushes == 0 && counts.syncs.value_or(0) == 0
                         ? "nothing was synced: the write went into memory, and the power took it"
                         : "it counts as done when the write is over, and the sync that covers it "
                           "is not",
            .function = "mended_e",
            .evidence = "the last that happened between start() and done():\n" +
                        events_before(bench, lost.event, std::min<std::size_t>(6, since_start))});
  }
  const auto& done = bench.done_pages();
  const bool once = std::ranges::all_of(done, [](const auto& each) { return each.second == 1; });
  if (!t.holds(done.size() == counts.pages && once)) {
    t.fail({.expected = fmt::format("each of {} pages counts as done, once, between start() and "
                                    "stop()",
                                    counts.pages),
            .found = fmt::format("{} pages{}", done.size(), once ? "" : ", some of them twice"),
            .cause = "call done() for each page that is durable now, and for no other",
            .function = "mended_e"});
  }
  const std::uint64_t batch = report.writes_per_sync;
  if (!t.holds(batch > 0 && counts.syncs.value_or(0) * batch >= counts.pages)) {
    t.fail({.expected = fmt::format("as many syncs as the report says: {} writes, {} for a sync",
                                    counts.pages, batch),
            .found = fmt::format("syncs between start() and stop(): {}", counts.syncs.value_or(0)),
            .cause = "a sync for many writes is honest when the report says so, in writes_per_sync",
            .function = "mended_e",
            .evidence = text_of(claim, counts)});
  }
}

void failed_sync_covers_nothing(Test& t) {
  CountedBench bench({.seed = t.seed(), .claim = program_of('e').claim, .syncs_fail = true});
  const auto report = mended_e(bench);
  const std::size_t first = bench.sections().empty() ? 0 : bench.sections().front().first_event;
  const std::size_t end = std::min(first + 6, bench.sim.trace().events().size());
  const std::string evidence =
      "between start() and stop(), at first:\n" + events_before(bench, end, end - first);
  if (!t.holds(bench.done_pages().empty())) {
    t.fail({.expected = "no page counts as done: every sync fails",
            .found = fmt::format("pages that do: {}", bench.done_pages().size()),
            .cause = "a sync that failed covers nothing, and what it was to cover may be lost",
            .function = "mended_e",
            .evidence = evidence});
  }
  if (!t.holds(!report.has_value())) {
    t.fail({.expected = "an error in place of a report: every sync fails",
            .found = "a report, as if all had gone well",
            .cause = "who cannot measure what is claimed must say so",
            .function = "mended_e",
            .evidence = evidence});
  }
}

void mapped_bytes_are_used(Test& t) {
  const Claim& claim = program_of('f').claim;
  CountedBench bench({.seed = t.seed(), .claim = claim});
  const Report report = run_mended(t, bench, mended_f, "mended_f");
  const Counts counts = bench.counts(report);
  if (!t.holds(report.sum == bench.right_sum())) {
    t.fail(
        {.expected = fmt::format("sum {:#x}, of all bytes that the {} pages held between start() "
                                 "and stop()",
                                 bench.right_sum(), counts.pages),
         .found =
             fmt::format("sum {:#x}, which is of {}", report.sum, bench.meaning_of(report.sum)),
         .cause = "what nobody uses need not be read, and a compiler does not read it; use every "
                  "byte between start() and stop(), and report what came of it",
         .function = "mended_f",
         .evidence = evidence_of(claim, bench, report)});
  }
  const bool ring = had(bench, bench.sections().front(), "ring read");
  if (!t.holds(bench.read_ns().empty() && !ring)) {
    t.fail({.expected = "no call that reads, for a map needs none",
            .found = ring ? "reads by a ring"
                          : fmt::format("{} calls of preadv", bench.read_ns().size()),
            .cause = "the claim is of a mapped file; reads by calls are another claim",
            .function = "mended_f",
            .evidence = evidence_of(claim, bench, report)});
  }
}

}  // namespace pagealloc::labs
