#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "labs/00_measure/tests/tests.h"

namespace pagealloc::labs {

std::span<const Exercise> exercises() {
  static constexpr std::array all = {
      Exercise{"1.1", finding_a},
      Exercise{"1.2", finding_b},
      Exercise{"1.3", finding_c},
      Exercise{"1.4", finding_d},
      Exercise{"1.5", finding_e},
      Exercise{"1.6", finding_f},
      Exercise{"2.1", dirty_pages_are_dropped_too},
      Exercise{"2.2", failure_to_drop_is_told},
      Exercise{"2.3", cold_is_what_the_device_reads},
      Exercise{"2.4", all_bytes_are_summed},
      Exercise{"3.1", what_is_read_was_written},
      Exercise{"3.2", past_the_page_cache},
      Exercise{"4.1", groups_of_series},
      Exercise{"4.2", hits_and_misses_are_two_groups},
      Exercise{"5.1", as_many_in_flight},
      Exercise{"5.2", both_sides_read_the_device},
      Exercise{"6.1", durable_when_done},
      Exercise{"6.2", failed_sync_covers_nothing},
      Exercise{"7.1", mapped_bytes_are_used},
      Exercise{"8.1", counts_name_the_lie},
      Exercise{"8.2", honest_counts_are_believed},
  };
  return all;
}

namespace measure {

void refuse_advice(conformance::TestKernel& kernel) {
  for (int each = 0; each < 16; ++each) kernel.fail_next(os::Call::fadvise, ENOSYS);
}

const Program& program_of(char letter) { return programs[static_cast<std::size_t>(letter - 'a')]; }

Report run_mended(Test& t, CountedBench& bench, Mended mended, const char* function,
                  const char* section) {
  const auto report = mended(bench);
  if (!t.holds(report.has_value())) {
    t.fail({.expected = fmt::format("{}() runs on a machine without faults and reports", function),
            .found = "an error: " + report.error().text(),
            .cause = "the error says what went wrong; nothing fails by itself here",
            .function = function});
  }
  if (!t.holds(bench.measured())) {
    t.fail({.expected = "a measured section, from start() to stop()",
            .found = bench.sections().empty() ? "start() was not called" : "stop() was not called",
            .cause = "what is claimed must happen between start() and stop(); nothing else counts",
            .function = section == nullptr ? function : section});
  }
  return *report;
}

void check_refused_advice(Test& t, Mended mended, const char* function, const Claim& claim,
                          const std::function<bool(const Counts&)>& good) {
  CountedBench bench({.seed = t.seed(), .claim = claim});
  conformance::TestKernel kernel(bench.sim);
  bench.stand_before(kernel);
  refuse_advice(kernel);
  const auto report = mended(bench);
  const Counts counts = bench.counts(report.value_or(Report{}));
  if (t.holds(!report.has_value() || good(counts))) return;
  t.fail({.expected = "an error in place of a report: the kernel did not drop the file from the "
                      "page cache (fadvise answered ENOSYS), and so it is not cold",
          .found =
              fmt::format("a report, and {} reads of the device", counts.device_reads.value_or(0)),
          .cause =
              "what drop_cached() returns was not looked at, or it does not tell (test 2.2); who "
              "could not make the file cold must say so",
          .function = function,
          .evidence = text_of(claim, counts)});
}

void check_failing_reads(Test& t, Mended mended, const Claim& claim, const char* reads) {
  CountedBench bench({.seed = t.seed(), .claim = claim, .reads_fail = true});
  const auto report = mended(bench);
  if (t.holds(!report.has_value())) return;
  t.fail({.expected = "an error in place of a report: the device could not read",
          .found = "a report, as if all pages had been read",
          .cause = "a read ended with an error and its result was not looked at; a sum of fewer "
                   "pages is not what is claimed",
          .function = reads,
          .evidence = text_of(claim, bench.counts(*report))});
}

std::string evidence_of(const Claim& claim, CountedBench& bench, const Report& report) {
  constexpr std::size_t lines = 6;
  std::string text = text_of(claim, bench.counts(report));
  const auto& section = bench.sections().front();
  const std::size_t count = std::min(lines, section.last_event - section.first_event);
  if (count == 0) return text + "\nbetween start() and stop() the kernel was asked for nothing\n";
  return text + "\nbetween start() and stop(), at first:\n" +
         events_before(bench, section.first_event + count, count);
}

}  // namespace measure

}  // namespace pagealloc::labs
