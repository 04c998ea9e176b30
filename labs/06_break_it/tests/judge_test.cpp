// Task 4: Run::judge(), on media that the test has made.
#include <fmt/format.h>

#include <algorithm>

#include "labs/06_break_it/tests/media.h"
#include "labs/06_break_it/tests/tests.h"

namespace pagealloc::labs {

using crash::Bounds;
using Condemned = crash::Failure;
using crash::Left;
using crash::Weather;
using os::sim::Image;

namespace {

/// `oracles`: one of these, or nothing where all is well.
void check(Test& t, const std::optional<Condemned>& found, std::string_view oracles,
           const std::string& what, const std::string& cause) {
  const bool good =
      oracles.empty() ? !found : found && oracles.find(found->oracle) != std::string_view::npos;
  if (t.holds(good)) return;
  const std::string wanted = oracles.empty()
                                 ? "nothing is wrong"
                                 : fmt::format("oracle ({})", fmt::join(oracles, ") or ("));
  t.fail({.expected = fmt::format("{}: {}", what, wanted),
          .found = fmt::format("judge() says: {}", text_of(found)),
          .cause = cause,
          .function = "Run::judge",
          .evidence = found ? found->timeline : ""});
}

std::uint64_t some_commit(Test& t) { return 2 + t.random().below(4); }

}  // namespace

void another_machine_has_the_medium(Test& t) {
  const std::uint64_t n = some_commit(t);
  Judging at(crash::protocol(0), t.other_seed(), Weather::calm);
  const char* const condemned =
      "what the store kept was not found: is left.image in the machine that looks at it, and are "
      "left.bounds those of the life on it?";
  const std::string has = fmt::format("the medium has commit {}, of a store without a mistake", n);
  const Image good = medium_with(t.seed(), n);
  check(t, at.judge(good, {n, n}), "", fmt::format("{}; {}", has, text_of(Bounds{n, n})),
        condemned);
  check(t, at.judge(good, {n - 1, n}), "", fmt::format("{}; {}", has, text_of(Bounds{n - 1, n})),
        condemned);
  check(t, at.judge(good, {n, n + 1}), "", fmt::format("{}; {}", has, text_of(Bounds{n, n + 1})),
        condemned);
  const char* const passed =
      "the other machine's verdict, or the bounds of the moment, went missing on the way";
  const auto lost = at.judge(good, {n + 1, n + 1});
  check(t, lost, "a", fmt::format("{}, and commit {} was acknowledged", has, n + 1), passed);
  check(t, at.judge(good, {n - 1, n - 1}), "a",
        fmt::format("{}, and only {} were submitted", has, n - 1), passed);
  if (!t.holds(lost->acknowledged == n + 1 && lost->submitted == n + 1 &&
               lost->timeline.starts_with("==== the medium"))) {
    t.fail({.expected = fmt::format("the failure tells what was demanded, {}, and the history that "
                                    "led to the medium",
                                    text_of(Bounds{n + 1, n + 1})),
            .found = text_of(lost),
            .cause = "failure() wants the Left that was judged",
            .function = "Run::judge",
            .evidence = lost->timeline});
  }
}

void no_excuse_on_a_good_medium(Test& t) {
  const std::uint64_t n = some_commit(t);
  Judging at(crash::protocol(0), t.other_seed(), Weather::calm);
  Image torn = medium_with(t.seed(), n);
  damage_data_of(torn, n);
  const std::string what = fmt::format(
      "no disk was at fault, and of commit {}, which was acknowledged, a page is not "
      "whole: the store says so itself",
      n);
  const char* const cause =
      "an error of the store is taken for an answer. It is one on a bad medium only: here all that "
      "is lost was lost by the order of the store's own writes and syncs";
  check(t, at.judge(torn, {n, n}), "b", what, cause);
  Image cut_short = medium_with(t.seed(), n);
  cut_short.files.at(crash::store_path).bytes.resize(3 * 4096);
  check(t, at.judge(cut_short, {n, n}), "a",
        "no disk was at fault, and the file is too short: the store says so itself", cause);
  check(t, at.judge(torn, {n, n}, 1), "e", what + "; the medium is one that a recovery has left",
        "what the second life and those after it leave is found by oracle (e), whatever it is");
  check(t, at.judge(torn, {n, n}, 0, 'd'), "d",
        what + "; the medium is one of all those that a single torn write leaves",
        "where left.oracle is not 0 it says who has found the mistake");
}

void an_error_is_right_on_a_bad_medium(Test& t) {
  const std::uint64_t n = some_commit(t);
  const std::uint64_t seed = seed_without_silent_losses(t);
  Judging at(crash::protocol(0), seed, Weather::bad_medium);
  const Image good = medium_with(seed, n);
  check(t, at.judge(good, {n, n}), "", fmt::format("the disk is bad, and commit {} is there", n),
        "what was acknowledged is there: nothing is wrong on any medium");
  const char* const cause =
      "the disk is broken, and the store says so instead of serving it: that is all that it can do "
      "(Wrong::served)";
  Image torn = good;
  damage_data_of(torn, n);
  check(t, at.judge(torn, {n, n}), "",
        fmt::format("the disk is bad, and the store says that commit {} is not whole", n), cause);
  Image cut_short = good;
  cut_short.files.at(crash::store_path).bytes.resize(3 * 4096);
  check(t, at.judge(cut_short, {n, n}), "",
        "the disk is bad, and the store says that the file is too short", cause);
}

void wrong_bytes_never_are(Test& t) {
  const std::uint64_t n = some_commit(t);
  const std::uint64_t seed = seed_without_silent_losses(t);
  const char* const cause =
      "on a bad medium everything was forgiven. A broken disk excuses an error, never wrong bytes "
      "or a commit that nobody made";
  Judging at(scripted(), seed, Weather::bad_medium);
  script() = holding(n);
  script().bytes->at(t.random().below(script().bytes->size())) ^= std::byte{16};
  check(t, at.judge({}, {n, n}), "g",
        fmt::format("the disk is bad, and the store serves bytes that commit {} never wrote", n),
        cause);
  script() = holding(n + 1);
  check(
      t, at.judge({}, {n, n}), "g",
      fmt::format("the disk is bad, and the store serves commit {}, which nobody has made", n + 1),
      cause);
  script() = holding(n - 1);
  check(t, at.judge({}, {n, n}), "g",
        fmt::format("the disk is bad, and the store serves commit {} as the last one, although it "
                    "could have known of commit {}",
                    n - 1, n),
        cause);
  Image torn = medium_with(seed, n);
  damage_data_of(torn, n);
  crash::set_plan({.step = crash::Step::damage_taken_for_empty});
  Judging real(crash::protocol(0), seed, Weather::bad_medium);
  check(t, real.judge(torn, {n, n}), "g",
        fmt::format("the disk is bad, and the store takes the damage of commit {} for a file that "
                    "was never written",
                    n),
        cause);
}

namespace {

/// judge() of a medium whose hash says that the machine is to run on.
std::optional<Condemned> judge_and_go_on(Judging& at, std::uint64_t n, unsigned depth) {
  Left left{.bounds = {n, n}, .image = medium_with(1, n), .timeline = "==== the first life\n"};
  left.hash = 64 * (3 + depth);
  return at.run.judge(left, depth, at.later);
}

}  // namespace

void a_recovery_is_cut_too(Test& t) {
  const std::uint64_t n = some_commit(t);
  expect_lock(t);
  Judging at(crash::protocol(0), t.other_seed() * 8 + 1, Weather::calm);
  check(t, judge_and_go_on(at, n, 0), "", "a store without a mistake goes on after a power cut",
        "its commits are numbered from what it has found");
  const auto most = std::ranges::max_element(
      at.later, {}, [](const Left& left) { return left.bounds.submitted; });
  const bool all = std::ranges::all_of(
      at.later, [&](const Left& left) { return left.bounds.acknowledged >= n; });
  if (!t.holds(!at.later.empty() && all && most->bounds.submitted == n + crash::commits_later &&
               at.tally.recoveries_cut == 1)) {
    t.fail({.expected = fmt::format("the life after the cut makes {} commits, is cut as well, and "
                                    "what that may leave is to be judged later, with at least "
                                    "commit {}; Tally::recoveries_cut counts it",
                                    crash::commits_later, n),
            .found =
                at.later.empty()
                    ? "judge() hands nothing on"
                    : fmt::format("{} media, the last of them with {}; {} recoveries counted",
                                  at.later.size(), text_of(most->bounds), at.tally.recoveries_cut),
            .cause = at.later.empty() || at.tally.recoveries_cut == 1
                         ? "a recovery writes, too: what a cut leaves of it goes to `later`"
                         : "tally_.recoveries_cut counts the lives that judge() lets go on and be "
                           "cut (`again`), each of them once",
            .function = "Run::judge"});
  }
  const bool has_history = std::ranges::all_of(at.later, [](const Left& left) {
    return left.machine == nullptr && left.timeline.starts_with("==== the first life\n");
  });
  if (!t.holds(has_history)) {
    t.fail({.expected = "what a second life leaves has the history of the first one before its "
                        "own, and no process dies in it",
            .found = "one that has not, or a process that died",
            .cause = "a Life is made with the lives before it: their number, depth + 1, and their "
                     "timeline",
            .function = "Run::judge",
            .evidence = at.later.front().timeline});
  }
  const std::size_t of_one = at.later.size();
  const std::uint64_t one = at.later.front().hash;
  check(t, judge_and_go_on(at, n + 3, 1), "", "another store without a mistake goes on",
        "its commits are numbered from what it has found");
  const bool still_there = std::ranges::find(at.later, one, &Left::hash) != at.later.end();
  if (!t.holds(at.later.size() > of_one && at.tally.recoveries_cut == 2 && still_there)) {
    t.fail(
        {.expected = fmt::format("judge() adds to `later`: the {} media of another medium's life "
                                 "are still there",
                                 of_one),
         .found =
             fmt::format("they are {}, and there are {} media in all; {} recoveries counted",
                         still_there ? "there" : "gone", at.later.size(), at.tally.recoveries_cut),
         .cause = "all media of a depth share one list: who puts his own in its place throws away "
                  "what the lives before left",
         .function = "Run::judge"});
  }
  const std::size_t before = at.later.size();
  check(t, judge_and_go_on(at, n, crash::depth_max), "", "the last life only looks",
        "a life that may not be cut again makes no commit");
  if (!t.holds(at.later.size() == before && at.tally.recoveries_cut == 2)) {
    t.fail({.expected = "a medium that is to be looked at only leaves nothing to judge later",
            .found = fmt::format("{} media before, {} after", before, at.later.size()),
            .cause = "`again` says whether the life goes on and is cut; live(life, 0) only looks",
            .function = "Run::judge"});
  }
}

}  // namespace pagealloc::labs
