// Tasks 2 and 3: what is cold, and what was written.
#include <fmt/format.h>

#include "labs/00_measure/tests/tests.h"

namespace pagealloc::labs {

using namespace measure;
using os::Call;

namespace {

/// A file of the bench that was written and not synced.
std::unique_ptr<File> unsynced_file(Test& t, CountedBench& bench) {
  auto file = open(bench.path(), bench.options("pread"));
  bool good = file && (*file)->resize(bench.pages());
  for (PageId page = 0; good && page < bench.pages(); ++page) {
    good = write_page(**file, page, bench.content(page)).has_value();
  }
  if (!t.holds(good)) {
    t.fail({.expected = "the test can fill its file",
            .found = "it cannot",
            .cause = "the grader is broken; please report this",
            .function = {}});
  }
  return std::move(*file);
}

void advice_refused_is_told(Test& t) {
  CountedBench bench({.seed = t.seed()});
  const auto file = unsynced_file(t, bench);
  conformance::TestKernel kernel(bench.sim);
  bench.stand_before(kernel);
  refuse_advice(kernel);
  const int result = drop_cached(bench);
  if (t.holds(result < 0)) return;
  t.fail(
      {.expected = "an error: fadvise answered -ENOSYS, as of a kernel that was built without it",
       .found = fmt::format("{}", result),
       .cause = "the result of fadvise() was not looked at; nothing was dropped, and nobody is "
                "told",
       .function = "drop_cached"});
}

bool nothing_happened(const CountedBench& bench) {
  const auto& section = bench.sections().front();
  return section.last_event == section.first_event;
}

}  // namespace

void dirty_pages_are_dropped_too(Test& t) {
  CountedBench bench({.seed = t.seed()});
  const auto file = unsynced_file(t, bench);
  const auto before = bench.sim.calls();
  const std::size_t first = bench.sim.trace().events().size();
  const std::uint64_t flushes = bench.sim.device_counts().flushes;
  const int result = drop_cached(bench);
  const std::size_t end = bench.sim.trace().events().size();
  const auto after = bench.sim.calls();
  const std::string calls =
      "the calls of drop_cached():\n" + events_before(bench, end, end - first);
  if (!t.holds(result >= 0)) {
    t.fail({.expected = "0, for nothing fails here",
            .found = fmt::format("{} ({})", result, describe(-result)),
            .cause = "a call was given what it cannot work on, or its result was misread",
            .function = "drop_cached",
            .evidence = calls});
  }
  const bool advised = after[Call::fadvise] > before[Call::fadvise];
  const bool synced = bench.sim.device_counts().flushes > flushes;
  const std::uint64_t cold = bench.cold_pages();
  if (!t.holds(cold == bench.pages())) {
    t.fail({.expected = "0 pages in the page cache after drop_cached()",
            .found = fmt::format("{} of {} pages", bench.pages() - cold, bench.pages()),
            .cause = !advised ? "nobody has asked the kernel to forget the file"
                     : synced ? "pages were dirty when the kernel was asked to forget them, and "
                                "were synced only afterwards; what is dirty stays"
                              : "they are dirty, and what is dirty stays in the page cache, "
                                "whatever the kernel is told (posix_fadvise(2), DESCRIPTION)",
            .function = "drop_cached",
            .evidence = calls});
  }
  const auto opened = after[Call::open] - before[Call::open];
  const auto closed = after[Call::close] - before[Call::close];
  if (!t.holds(opened == closed)) {
    t.fail({.expected = "every descriptor that was opened is closed",
            .found = fmt::format("{} opened, {} closed", opened, closed),
            .cause = "a benchmark that calls this often runs out of descriptors",
            .function = "drop_cached",
            .evidence = calls});
  }
}

void failure_to_drop_is_told(Test& t) {
  {
    CountedBench bench({.seed = t.seed()});
    const int result = drop_cached(bench);
    if (!t.holds(result < 0)) {
      t.fail({.expected = "an error: there is no such file",
              .found = fmt::format("{}", result),
              .cause = "the result of open() was not looked at, or the file was made",
              .function = "drop_cached"});
    }
  }
  CountedBench bench({.seed = t.seed()});
  const auto file = unsynced_file(t, bench);
  os::sim::FaultRates faults;
  faults[os::sim::Fault::sync_error] = 1;
  bench.sim.set_faults(faults);
  const std::size_t first = bench.sim.trace().events().size();
  const int result = drop_cached(bench);
  const std::size_t end = bench.sim.trace().events().size();
  if (!t.holds(result < 0)) {
    t.fail({.expected = "an error: the pages could not be written to the device",
            .found = fmt::format("{}", result),
            .cause = "the sync failed and nobody is told; who measures now believes that the file "
                     "holds what was written, and that it is cold",
            .function = "drop_cached",
            .evidence = "the calls of drop_cached():\n" + events_before(bench, end, end - first)});
  }
  advice_refused_is_told(t);
}

void cold_is_what_the_device_reads(Test& t) {
  const Claim& claim = program_of('a').claim;
  CountedBench bench({.seed = t.seed(), .claim = claim});
  const Report report = run_mended(t, bench, mended_a, "mended_a", "read_all");
  const Counts counts = bench.counts(report);
  const std::string evidence = evidence_of(claim, bench, report);
  if (!t.holds(counts.pages_written == counts.pages)) {
    t.fail({.expected = fmt::format("at start() all {} pages were written", counts.pages),
            .found = fmt::format("{} pages", counts.pages_written.value_or(0)),
            .cause = "the file must be filled before it is made cold",
            .function = "mended_a",
            .evidence = evidence});
  }
  if (!t.holds(counts.device_reads == counts.pages)) {
    const char* cause =
        "what the device did not read was in the page cache: nobody dropped it after the file was "
        "filled, or it was read before start()";
    if (counts.device_reads.value_or(0) > counts.pages)
      cause = "pages were read that the claim does not count";
    if (nothing_happened(bench)) cause = "between start() and stop() nothing was read at all";
    t.fail({.expected = fmt::format("{} reads of the device, one for each page", counts.pages),
            .found = fmt::format("{} reads of the device", counts.device_reads.value_or(0)),
            .cause = cause,
            .function = "mended_a",
            .evidence = evidence});
  }
  const std::uint64_t cold = bench.cold_pages();
  if (!t.holds(cold == 0)) {
    t.fail({.expected = "what was read is in the page cache afterwards",
            .found = fmt::format("{} of {} pages are not", cold, counts.pages),
            .cause =
                "the claim is of reads through the page cache, and these went past it: another "
                "claim was measured",
            .function = "mended_a",
            .evidence = evidence});
  }
  check_refused_advice(t, mended_a, "mended_a", claim,
                       [](const Counts& warm) { return warm.device_reads == warm.pages; });
}

void all_bytes_are_summed(Test& t) {
  const Claim& claim = program_of('a').claim;
  CountedBench bench({.seed = t.seed(), .claim = claim});
  const Report report = run_mended(t, bench, mended_a, "mended_a", "read_all");
  if (!t.holds(report.sum == bench.right_sum())) {
    t.fail(
        {.expected = fmt::format("sum {:#x}, of all bytes that the {} pages held between start() "
                                 "and stop()",
                                 bench.right_sum(), bench.pages()),
         .found =
             fmt::format("sum {:#x}, which is of {}", report.sum, bench.meaning_of(report.sum)),
         .cause = "not all bytes that the claim counts were looked at, or not those that were "
                  "read",
         .function = "read_all",
         .evidence = evidence_of(claim, bench, report)});
  }
  check_failing_reads(t, mended_a, claim, "read_all");
}

void what_is_read_was_written(Test& t) {
  const Claim& claim = program_of('c').claim;
  CountedBench bench({.seed = t.seed(), .claim = claim});
  const Report report = run_mended(t, bench, mended_c, "mended_c", "read_all");
  const Counts counts = bench.counts(report);
  if (!t.holds(counts.pages_written == counts.pages)) {
    t.fail({.expected = fmt::format("at start() all {} pages were written", counts.pages),
            .found = fmt::format("{} pages", counts.pages_written.value_or(0)),
            .cause =
                "the file was made long and nobody wrote it; Linux knows that there is nothing to "
                "read, and answers with zeros at the speed of memory (the simulated machine does "
                "not, so only this count shows it here)",
            .function = "mended_c",
            .evidence = evidence_of(claim, bench, report)});
  }
}

void past_the_page_cache(Test& t) {
  const Claim& claim = program_of('c').claim;
  CountedBench bench({.seed = t.seed(), .claim = claim, .empty_cache = true});
  const Report report = run_mended(t, bench, mended_c, "mended_c", "read_all");
  const Counts counts = bench.counts(report);
  const std::string evidence = evidence_of(claim, bench, report);
  const std::uint64_t cold = bench.cold_pages();
  if (!t.holds(counts.device_reads == counts.pages && cold == counts.pages)) {
    t.fail({.expected = fmt::format("{} reads of the device, and no page in the page cache "
                                    "afterwards",
                                    counts.pages),
            .found = fmt::format("{} reads of the device, and {} pages in the page cache",
                                 counts.device_reads.value_or(0), counts.pages - cold),
            .cause = nothing_happened(bench)
                         ? "between start() and stop() nothing was read at all"
                         : "the claim is of reads past the page cache, and these went through it",
            .function = "mended_c",
            .evidence = evidence});
  }
  if (!t.holds(report.sum == bench.right_sum())) {
    t.fail({.expected =
                fmt::format("sum {:#x}, of all bytes of {} pages", bench.right_sum(), counts.pages),
            .found =
                fmt::format("sum {:#x}, which is of {}", report.sum, bench.meaning_of(report.sum)),
            .cause = "not all bytes that the claim counts were looked at",
            .function = "mended_c",
            .evidence = evidence});
  }
}

}  // namespace pagealloc::labs
