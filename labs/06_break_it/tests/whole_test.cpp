// All of it: protocols that are right, and protocols with a mistake that the seed has drawn, each
// beside the same one without it.
#include <fmt/format.h>

#include <algorithm>

#include "harness/crash/canaries.h"
#include "labs/06_break_it/tests/media.h"
#include "labs/06_break_it/tests/tests.h"

namespace pagealloc::labs {

using crash::Experiment;
using Condemned = crash::Failure;
using crash::StoreKind;
using crash::Tally;

namespace {

/// Seeds from `first` on. Fails the test if one of them condemns the store.
void survive(Test& t, const StoreKind& kind, const Way& way, std::uint64_t first,
             std::uint64_t seeds, const std::string& what, const std::string& why, Tally& tally) {
  const Experiment experiment{.kind = &kind, .options = way.options};
  std::optional<Condemned> failure;
  for (std::uint64_t i = 0; i < seeds && !failure; ++i) {
    failure = crash::run_seed(experiment, first + i, tally);
  }
  if (t.holds(!failure)) return;
  const Condemned told = crash::shortest(experiment, *failure);
  t.fail({.expected = fmt::format("{} survives on {}: {}", what, way.name, why),
          .found = fmt::format("condemned by oracle ({}): {}; from {} (acknowledged) to {} "
                               "(submitted) was demanded",
                               told.oracle, told.found, told.acknowledged, told.submitted),
          .cause = "a checker judges what a store has promised, and nothing else: not how its file "
                   "is laid out, nor in what order it writes",
          .function = "Run::judge",
          .evidence = told.timeline});
}

}  // namespace

void right_ones_survive(Test& t) {
  constexpr std::uint64_t seeds = 3;
  expect_lock(t);
  std::uint64_t tears = 32 * (1 + t.random().below(1U << 20));
  while (crash::weather_of(tears) != crash::Weather::calm) tears += 32;
  const std::uint64_t first = tears + 1;
  Tally tally;
  const char* const why = "it has no mistake";
  for (const Way& way : ways()) {
    crash::set_plan({});
    survive(t, crash::protocol(0), way, first, seeds, "the two-page store", why, tally);
    survive(t, crash::correct_on_two_handles(), way, first, 1,
            "the two-page store on two handles, in a file of twelve pages", why, tally);
  }
  // Of these seeds every part of every write is tried.
  survive(t, crash::protocol(0), ways().front(), tears, 1, "the two-page store", why, tally);
  for (const crash::Right& right : crash::rights()) {
    crash::set_plan({.step = right.step});
    for (const Way* way : crash::ways_in(right.ways)) {
      survive(t, crash::protocol(1), *way, first, seeds,
              fmt::format("a store whose steps are others ({})", right.what),
              std::string(right.why), tally);
    }
  }
  if (!t.holds(tally.distinct.size() > 1000 && tally.deaths > 10 && tally.torn_words > 100 &&
               tally.recoveries_cut > 10)) {
    t.fail({.expected = "more than 1000 different media were judged, more than 10 processes died, "
                        "more than 100 writes were torn at every word, and more than 10 "
                        "recoveries were cut",
            .found = fmt::format("{} media, {} deaths, {} torn words, {} recoveries",
                                 tally.distinct.size(), tally.deaths, tally.torn_words,
                                 tally.recoveries_cut),
            .cause = tally.distinct.size() > 1000 && (tally.deaths <= 10 || tally.torn_words <= 100)
                         ? "cut() comes back before sometimes(life), which lets processes die and "
                           "tears writes at every word"
                         : "a checker that looks at nothing condemns nothing: run_seed() comes by "
                           "few media, or lets few lives go on",
            .function = "Run::cut"});
  }
}

namespace {

struct Caught {
  std::optional<Condemned> failure;
  std::uint64_t seeds = 0;
};

/// Up to `seeds` seeds, until one of them condemns the store.
Caught run(const Experiment& experiment, std::uint64_t first, std::uint64_t seeds) {
  Caught caught;
  Tally tally;
  while (!caught.failure && caught.seeds < seeds) {
    caught.failure = crash::run_seed(experiment, first + caught.seeds, tally);
    ++caught.seeds;
  }
  return caught;
}

void check_planted(Test& t, unsigned number, const crash::Planted& planted) {
  const StoreKind kind = crash::protocol(number);
  const crash::Family& family = *planted.family;
  const Experiment experiment{
      .kind = &kind, .options = planted.way->options, .weather = family.weather};
  // Every 32nd seed tries each part of each write, and takes longer than all others: it comes last.
  const std::uint64_t first = 1 + 32 * t.random().below(1U << 20);
  const std::string weather =
      family.weather ? fmt::format(", weather {}", name_of(*family.weather)) : "";
  crash::set_plan(planted.plan);
  const Caught caught = run(experiment, first, family.seeds_max);
  if (!t.holds(caught.failure.has_value())) {
    const std::string likest = family.canary.empty()
                                   ? ""
                                   : fmt::format("like it: ./lab crash --store {} --way {}\n",
                                                 family.canary, planted.way->name);
    t.fail(
        {.expected = fmt::format("{} on {}{} is condemned. It has a mistake {}: {}", kind.name,
                                 planted.way->name, weather, text_of(planted.plan), family.mistake),
         .found = fmt::format("it survived {} seeds, from seed {} on; a whole checker finds it "
                              "in far fewer",
                              caught.seeds, first),
         .cause = "a moment, a medium or a life is not looked at: which one would show this "
                  "mistake?",
         .function = "Run::judge",
         .evidence = likest});
  }
  crash::set_plan({});
  const Caught twin = run(experiment, first, caught.seeds);
  if (t.holds(!twin.failure)) return;
  const Condemned told = crash::shortest(experiment, *twin.failure);
  t.fail({.expected = fmt::format("{} on {}{} has no mistake any more, and survives", kind.name,
                                  planted.way->name, weather),
          .found = fmt::format("condemned by oracle ({}): {}", told.oracle, told.found),
          .cause = "a checker that condemns the right one as well has found nothing",
          .function = "Run::judge",
          .evidence = told.timeline});
}

constexpr std::size_t in_a_test = 4;

/// The `turn`th four of twelve that the seed draws.
void planted_of(Test& t, std::size_t turn) {
  const auto all = crash::planted(t.seed(), 3 * in_a_test);
  for (std::size_t i = turn * in_a_test; i < (turn + 1) * in_a_test; ++i) {
    check_planted(t, static_cast<unsigned>(i), all[i]);
  }
}

}  // namespace

void planted_first(Test& t) { planted_of(t, 0); }
void planted_second(Test& t) { planted_of(t, 1); }
void planted_third(Test& t) { planted_of(t, 2); }

}  // namespace pagealloc::labs
