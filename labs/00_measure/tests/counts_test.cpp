// Task 8: the counts alone, without the source.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "labs/00_measure/tests/tests.h"

namespace pagealloc::labs {

using namespace measure;

namespace {

std::string text_of(std::optional<Lie> lie) { return lie ? std::string(name_of(*lie)) : "no lie"; }

template <typename Range>
void shuffle(Test& t, Range& range) {
  for (std::size_t i = range.size(); i > 1; --i) {
    std::swap(range[i - 1], range[t.random().below(i)]);
  }
}

struct Case {
  Claim claim;
  Counts counts;
  std::optional<Lie> expected;
  const char* cause;
};

void check(Test& t, const Case& each) {
  const auto found = lie_of(each.claim, each.counts);
  if (t.holds(found == each.expected)) return;
  t.fail({.expected = text_of(each.expected),
          .found = text_of(found),
          .cause = each.cause,
          .function = "lie_of",
          .evidence = "a benchmark that nobody has run, with these counts:\n" +
                      measure::text_of(each.claim, each.counts)});
}

Counts good_counts(std::uint64_t n) {
  Counts good{.pages = n, .pages_written = n, .device_reads = n, .syncs = n};
  good.writes_per_sync = 1;
  good.pages_summed = n;
  good.kinds = 1;
  good.groups = 1;
  good.in_flight = 32;
  good.in_flight_most = 32;
  return good;
}

const char* const more =
    "more than the claim needs is enough: a count shows a lie only where it is less";
const char* const last_batch =
    "a sync may be for several writes, if the report says for how many; more than the claim "
    "needs is enough, for the last sync of a run may be for fewer";

}  // namespace

void counts_name_the_lie(Test& t) {
  std::array<char, 6> letters = {'a', 'b', 'c', 'd', 'e', 'f'};
  shuffle(t, letters);
  for (const char letter : letters) {
    const Program& program = program_of(letter);
    CountedBench bench(
        {.seed = t.seed() + static_cast<std::uint64_t>(letter), .claim = program.claim});
    const auto report = program.run(bench);
    const Counts counts = bench.counts(report.value_or(Report{}));
    const auto found = lie_of(program.claim, counts);
    if (t.holds(found && is_lie_of(letter, *found))) continue;
    t.fail({.expected = "the lie that these counts show",
            .found = text_of(found),
            .cause = "each claim needs certain counts, and one of these is not as this claim needs "
                     "it; a count that the claim does not need shows nothing",
            .function = "lie_of",
            .evidence =
                fmt::format("\"{}\"\n", program.says) + measure::text_of(program.claim, counts)});
  }
}

void honest_counts_are_believed(Test& t) {
  const std::uint64_t n = 64 + t.random().below(64) * 16;
  const Claim reads{.reads = true};
  const Claim cold{.reads = true, .cold = true};
  const Claim durable{.durable = true};
  const Claim duration{.reads = true, .duration = true};
  const Claim compares{.reads = true, .cold = true, .compares = true};
  const Counts good = good_counts(n);
  const auto with = [&](auto change) {
    Counts counts = good;
    change(counts);
    return counts;
  };
  const char* const honest = "all counts are as the claim needs them";
  const char* const unclaimed = "nobody has claimed what this count would show";
  const char* const unknown =
      "what nobody has counted is unknown; it is not 0, and shows no lie. Ask has_value() before "
      "comparing: an empty std::optional is less than every number, and != to each";
  const char* const one_less = "one page less than claimed is less than claimed";
  const char* const batch = "a sync may be for several writes, if the report says for how many";
  const char* const fifth = "two sides are equal if the one has at least four fifths of the other";
  const char* const order = "of two lies the first in the order of Lie is named";
  std::vector<Case> cases = {
      {cold, good, {}, honest},
      {durable, good, {}, honest},
      {duration, good, {}, honest},
      {compares, good, {}, honest},
      {reads, with([](Counts& c) { c.device_reads = 0; }), {}, unclaimed},
      {durable, with([](Counts& c) { c.pages_summed = 0, c.pages_written = 0; }), {}, unclaimed},
      {reads, with([](Counts& c) { c.kinds = 2, c.syncs = 0, c.in_flight = 1; }), {}, unclaimed},
      {cold, with([](Counts& c) { c.pages_written = c.device_reads = {}; }), {}, unknown},
      {reads, with([](Counts& c) { c.pages_summed = {}; }), {}, unknown},
      {durable, with([](Counts& c) { c.syncs = {}; }), {}, unknown},
      {duration, with([](Counts& c) { c.kinds = {}, c.groups = 0; }), {}, unknown},
      {duration, with([](Counts& c) { c.kinds = 2, c.groups = {}; }), {}, unknown},
      {compares, with([](Counts& c) { c.in_flight = {}; }), {}, unknown},
      {compares, with([](Counts& c) { c.in_flight = 1, c.in_flight_most = {}; }), {}, unknown},
      {cold, with([](Counts& c) { --*c.device_reads; }), Lie::warm_called_cold, one_less},
      {cold, with([](Counts& c) { --*c.pages_written; }), Lie::sparse_file, one_less},
      {durable, with([](Counts& c) { --*c.syncs; }), Lie::no_sync, one_less},
      {durable, with([&](Counts& c) { c.syncs = n / 16, c.writes_per_sync = 16; }), {}, batch},
      {durable, with([&](Counts& c) { c.syncs = n / 16 - 1, c.writes_per_sync = 16; }),
       Lie::no_sync, batch},
      {durable,
       with([&](Counts& c) { c.syncs = n / 64 + 1, c.writes_per_sync = 64; }),
       {},
       last_batch},
      {cold, with([](Counts& c) { ++*c.device_reads, ++*c.pages_written; }), {}, more},
      {reads, with([](Counts& c) { ++*c.pages_summed; }), {}, more},
      {duration, with([](Counts& c) { c.groups = 2; }), {}, more},
      {durable, with([](Counts& c) { c.writes_per_sync = 0; }), Lie::no_sync,
       "a sync may be for several writes, if the report says for how many; one that says 0 has a "
       "sync for none"},
      {duration, with([](Counts& c) { c.kinds = c.groups = 2; }), {}, honest},
      {duration, with([](Counts& c) { c.kinds = 2; }), Lie::mean_of_two,
       "two kinds of reads, and one number for both"},
      {compares, with([](Counts& c) { c.in_flight = 24, c.in_flight_most = 30; }), {}, fifth},
      {compares, with([](Counts& c) { c.in_flight = 23, c.in_flight_most = 30; }),
       Lie::unequal_depth, fifth},
      {cold, with([](Counts& c) { c.device_reads = 0, c.pages_summed = 0; }), Lie::warm_called_cold,
       order},
      {cold, with([](Counts& c) { c.device_reads = 0, c.pages_written = 0; }), Lie::sparse_file,
       order},
  };
  shuffle(t, cases);
  for (const Case& each : cases) check(t, each);
}

}  // namespace pagealloc::labs
