// Task 1: which lie each program tells, and the count that shows it.
#include <fmt/format.h>

#include "labs/00_measure/tests/tests.h"

namespace pagealloc::labs {

namespace measure {

namespace {

/// What must be counted for the claim to be true; nothing: it promises nothing about this.
std::optional<std::uint64_t> needed(Count count, const Claim& claim, const Counts& counts) {
  const std::uint64_t pages = counts.pages;
  switch (count) {
    case Count::device_reads:
      return claim.cold ? std::optional(pages) : std::nullopt;
    case Count::groups:
      return claim.duration ? counts.kinds : std::nullopt;
    case Count::in_flight:
      return claim.compares ? counts.in_flight_most : std::nullopt;
    case Count::pages_summed:
      return claim.reads ? std::optional(pages) : std::nullopt;
    case Count::pages_written:
      return pages;
    case Count::syncs:
      return claim.durable ? std::optional(pages / counts.writes_per_sync) : std::nullopt;
  }
  return {};
}

std::uint64_t counted(Count count, const Counts& counts) {
  const std::optional<std::uint64_t> all[] = {counts.device_reads,  counts.groups,
                                              counts.in_flight,     counts.pages_summed,
                                              counts.pages_written, counts.syncs};
  return all[static_cast<std::size_t>(count)].value_or(0);
}

/// The count that speaks of this lie.
Count count_of(Lie lie) {
  constexpr Count all[] = {Count::pages_written, Count::device_reads, Count::syncs,
                           Count::pages_summed,  Count::groups,       Count::in_flight};
  return all[static_cast<std::size_t>(lie)];
}

std::uint64_t hash_of(char letter, std::uint64_t number) {
  return harness::mix(static_cast<std::uint64_t>(letter) << 8 | number) >> 48;
}

}  // namespace

bool is_lie_of(char letter, Lie lie) {
  constexpr std::uint64_t hashes[] = {0x79EA, 0x6846, 0x7A35, 0xDCE8, 0xFBBB, 0x0F37};
  return hash_of(letter, static_cast<std::uint64_t>(lie)) == hashes[letter - 'a'];
}

bool is_count_of(char letter, Count count) {
  constexpr std::uint64_t hashes[] = {0x7915, 0xCBD6, 0x94D9, 0xF748, 0x3776, 0x6A9C};
  return hash_of(letter, 16 + static_cast<std::uint64_t>(count)) == hashes[letter - 'a'];
}

}  // namespace measure

using namespace measure;

namespace {

/// What speaks against this count, in words.
std::string as_it_should(Count count, const Claim& claim, const Counts& counts) {
  const auto must = needed(count, claim, counts);
  if (!must) return fmt::format("the claim promises nothing about {}", name_of(count));
  return fmt::format("{} is {}, and the claim needs {}", name_of(count), counted(count, counts),
                     *must);
}

void check(Test& t, char letter) {
  const Program& program = program_of(letter);
  CountedBench bench({.seed = t.seed(), .claim = program.claim});
  const auto report = program.run(bench);
  const Counts counts = bench.counts(report.value_or(Report{}));
  const Finding found = findings(counts.pages)[static_cast<std::size_t>(letter - 'a')];
  const std::string evidence =
      fmt::format("program {}, on {} pages: \"{}\"\n", letter, counts.pages, program.says) +
      text_of(program.claim, counts);
  const auto fail = [&](std::string expected, std::string said, std::string cause) {
    t.fail({std::move(expected), std::move(said), std::move(cause), "findings", evidence});
  };
  if (!t.holds(is_lie_of(letter, found.lie))) {
    fail(fmt::format("the lie that program {} tells", letter),
         fmt::format("{}; but {}", name_of(found.lie),
                     as_it_should(count_of(found.lie), program.claim, counts)),
         "a lie is where a count contradicts the claim; go down the counts and ask of each what it "
         "would be if the claim were true");
  }
  if (!t.holds(is_count_of(letter, found.count))) {
    fail(fmt::format("the count that shows that program {} tells the lie {}", letter,
                     name_of(found.lie)),
         fmt::format("{}; but {}", name_of(found.count),
                     as_it_should(found.count, program.claim, counts)),
         "this count is the same in an honest program; look for the one that is not");
  }
  if (!t.holds(found.found == counted(found.count, counts))) {
    fail(fmt::format("{} as it is counted on {} pages", name_of(found.count), counts.pages),
         fmt::format("{}", found.found),
         "the number is not the one that was counted, between start() and stop(); lab_00_run "
         "prints it");
  }
  const std::uint64_t must = needed(found.count, program.claim, counts).value_or(0);
  // A ring with 32 begun has a few less in flight, because at the end there are no more.
  const bool fits = found.honest == must ||
                    (program.claim.compares && found.honest >= must && found.honest <= 32);
  if (!t.holds(fits)) {
    fail(fmt::format("{} as it would be on {} pages if the claim were true", name_of(found.count),
                     counts.pages),
         fmt::format("{}", found.honest),
         must == counts.pages && found.honest >= 128
             ? "a number of one run: each seed runs on another number of pages, so it has to be "
               "made of `pages`"
             : "ask what the machine would have had to do for this claim, and how often");
  }
}

}  // namespace

void finding_a(Test& t) { check(t, 'a'); }
void finding_b(Test& t) { check(t, 'b'); }
void finding_c(Test& t) { check(t, 'c'); }
void finding_d(Test& t) { check(t, 'd'); }
void finding_e(Test& t) { check(t, 'e'); }
void finding_f(Test& t) { check(t, 'f'); }

}  // namespace pagealloc::labs
