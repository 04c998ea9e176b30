// Task 3: Run::live(). First with a store that notes what was promised at each commit, then with
// real ones.
#include <fmt/format.h>

#include <algorithm>

#include "labs/06_break_it/tests/media.h"
#include "labs/06_break_it/tests/tests.h"

namespace pagealloc::labs {

using crash::Bounds;
using crash::Wrong;

namespace {

/// A life of the scripted store, on a machine without anything.
struct Lived {
  Lived(Test& t, const Script& says, Bounds bounds, std::uint64_t commits)
      : run(experiment, t.other_seed() | 1, tally, false),
        kernel({.seed = t.seed()}),
        life{.kernel = kernel, .bounds = bounds, .depth = 1} {
    kernel.trace().keep();
    script() = says;
    script().bounds = &life.bounds;
    wrong = run.live(life, commits);
    script().bounds = nullptr;
  }
  std::size_t noted(std::string_view what) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        kernel_events(), [&](const os::sim::Event& event) { return event.what == what; }));
  }
  /// The store makes no call of the kernel, so only end() takes the power.
  bool has_ended() const { return tally.cuts > 0; }
  const std::vector<os::sim::Event>& kernel_events() const {
    return const_cast<os::sim::SimKernel&>(kernel).trace().events();
  }

  crash::StoreKind kind = scripted();
  crash::Experiment experiment{.kind = &kind, .weather = crash::Weather::calm};
  crash::Tally tally;
  crash::Run run;
  os::sim::SimKernel kernel;
  crash::Life life;
  std::optional<Wrong> wrong;
};

std::string list_of(const std::vector<std::uint64_t>& numbers) {
  return numbers.empty() ? "none" : fmt::format("{}", fmt::join(numbers, ", "));
}

std::vector<std::uint64_t> behind(std::uint64_t last, std::uint64_t count) {
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t i = 1; i <= count; ++i) numbers.push_back(last + i);
  return numbers;
}

void check_numbers(Test& t, std::uint64_t last, const Bounds& bounds) {
  constexpr std::uint64_t commits = 3;
  const Lived lived(t, holding(last), bounds, commits);
  const auto wanted = behind(last, commits);
  if (t.holds(script().asked == wanted && !lived.wrong)) return;
  t.fail({.expected = fmt::format("a life that has found commit {} goes on with commits {}", last,
                                  list_of(wanted)),
          .found = fmt::format("it was asked for commits {}; {}", list_of(script().asked),
                               text_of(lived.wrong)),
          .cause = "what was submitted and did not survive never happened, and its number comes "
                   "again: after look_on() the bounds begin anew, at what the store has found",
          .function = "Run::live",
          .evidence = fmt::format("the bounds of this life at first: {}\n", text_of(bounds))});
}

}  // namespace

void goes_on_from_what_is_there(Test& t) {
  const std::uint64_t n = 2 + t.random().below(30);
  check_numbers(t, 0, {0, 0});
  check_numbers(t, 0, {0, 1});
  check_numbers(t, n, {n, n});
  check_numbers(t, n, {n, n + 1});
  check_numbers(t, n + 1, {n, n + 1});
  // Who only looks makes no commit.
  const Lived lived(t, holding(n), {n, n}, 0);
  if (!t.holds(script().asked.empty())) {
    t.fail({.expected = "live(life, 0) looks, and commits nothing",
            .found = fmt::format("it was asked for commits {}", list_of(script().asked)),
            .cause = "`commits` says how often",
            .function = "Run::live"});
  }
}

namespace {

void check_moment(Test& t, const std::string& when, const Bounds& found, const Bounds& wanted) {
  if (t.holds(found.acknowledged == wanted.acknowledged && found.submitted == wanted.submitted)) {
    return;
  }
  std::string cause = "life.bounds is what may be demanded if the power goes now";
  if (found.submitted < wanted.submitted) {
    cause =
        "a commit that is under way may already be on the medium: it is submitted from the "
        "moment at which commit() is called";
  } else if (found.acknowledged > wanted.acknowledged) {
    cause = "nothing is promised before commit() has returned";
  } else if (found.acknowledged < wanted.acknowledged) {
    cause =
        "what commit() has returned for must stay, and so must what a life has found: "
        "somebody has read it";
  }
  t.fail({.expected = fmt::format("{}: {}", when, text_of(wanted)),
          .found = text_of(found),
          .cause = cause,
          .function = "Run::live"});
}

}  // namespace

void promised_when_it_has_returned(Test& t) {
  constexpr std::uint64_t commits = 4;
  const std::uint64_t n = 2 + t.random().below(30);
  // Commit n was under way when the power went, and it is there.
  const Lived lived(t, holding(n), {n - 1, n + 1}, commits);
  script().seen.resize(commits);
  for (std::uint64_t i = 0; i < commits; ++i) {
    check_moment(t, fmt::format("commit {} was found, and commit({}) is under way", n, n + 1 + i),
                 script().seen[i], {n + i, n + i + 1});
  }
  check_moment(t, fmt::format("commit({}) has returned, and nothing is under way", n + commits),
               lived.life.bounds, {n + commits, n + commits});
  if (!t.holds(lived.noted("commit") == commits && lived.noted("acknowledged") == commits)) {
    t.fail({.expected = fmt::format("the history has each of the {} commits and each of their "
                                    "acknowledgements",
                                    commits),
            .found = fmt::format("{} of \"commit\", {} of \"acknowledged\"", lived.noted("commit"),
                                 lived.noted("acknowledged")),
            .cause = "without note() nobody can tell in a history what was promised when",
            .function = "Run::live"});
  }
}

namespace {

void check_ended(Test& t, const Lived& lived, const std::string& when) {
  if (t.holds(lived.has_ended())) return;
  t.fail({.expected = fmt::format("{}, and then the life ends as every other: the store is closed, "
                                  "and the power goes once more",
                                  when),
          .found = "end() was not called",
          .cause =
              "a `return` in the middle of live() leaves out the end(life, store) below: the "
              "process never dies after a failure, and cut() is called for a life that is over",
          .function = "Run::live"});
}

}  // namespace

void a_failed_commit_is_the_end(Test& t) {
  const std::uint64_t n = 2 + t.random().below(30);
  Script says = holding(n);
  says.fails_at = n + 2;
  const Lived failed(t, says, {n, n}, 4);
  const bool is_said = failed.wrong && !failed.wrong->served;
  const bool is_the_last = script().asked == behind(n, 2);
  if (!t.holds(is_said && is_the_last && failed.life.stopped)) {
    std::string cause = "life.stopped says that the store was told of a failure and is still open";
    if (!is_said) {
      cause =
          "what went wrong is the answer of live(): a Wrong of oracle 'a' with the error's text, "
          "not served, because the store said so itself. Whether it had a reason to fail is for "
          "others to judge";
    }
    if (!is_the_last) {
      cause = "a store that was told of a failure makes no more commits, and this one not again";
    }
    t.fail({.expected = fmt::format("commit {} fails: no commit after it, life.stopped, and an "
                                    "answer that is not served",
                                    n + 2),
            .found = fmt::format("commits {}; life.stopped is {}; {}", list_of(script().asked),
                                 failed.life.stopped, text_of(failed.wrong)),
            .cause = cause,
            .function = "Run::live"});
  }
  check_moment(t, fmt::format("commit({}) has failed", n + 2), failed.life.bounds, {n + 1, n + 2});
  check_ended(t, failed, fmt::format("commit({}) fails", n + 2));
  const Lived lost(t, holding(n - 1), {n, n}, 4);
  if (!t.holds(lost.wrong && lost.wrong->served && script().asked.empty())) {
    t.fail({.expected = fmt::format("commit {} is missing: that is what live() says, and it makes "
                                    "no commit on top of it",
                                    n),
            .found = fmt::format("commits {}; {}", list_of(script().asked), text_of(lost.wrong)),
            .cause = "what look_on() has found wrong is the answer, and nothing comes after it",
            .function = "Run::live"});
  }
  check_ended(t, lost, fmt::format("commit {} is missing", n));
}

namespace {

struct Verdict {
  std::size_t media = 0;
  std::optional<Wrong> wrong = {};
  Bounds bounds = {};
  std::string timeline = {};
};

/// A whole life; then other machines look at what may be left of it, through look().
Verdict verdict_on(const crash::StoreKind& kind, std::string_view way, std::uint64_t seed) {
  const auto found = std::ranges::find(ways(), way, &Way::name);
  const crash::Experiment experiment{
      .kind = &kind, .options = found->options, .weather = crash::Weather::calm};
  crash::Tally tally;
  crash::Run run(experiment, seed | 1, tally, true);
  os::sim::SimKernel kernel({.seed = seed});
  crash::Life life{.kernel = kernel, .depth = 1};
  Verdict verdict{.wrong = run.live(life, experiment.commits), .bounds = life.bounds};
  for (crash::Left& left : life.left) {
    if (verdict.wrong) break;
    ++verdict.media;
    os::sim::SimKernel another({.seed = seed, .image = std::move(left.image)});
    const auto store = kind.make();
    verdict.wrong = run.look_on(another, *store, left.bounds);
    verdict.bounds = left.bounds;
    verdict.timeline = left.timeline;
  }
  return verdict;
}

}  // namespace

void a_life_on_the_machine(Test& t) {
  expect_lock(t);
  const crash::StoreKind kind = crash::protocol(0);
  for (const std::string_view way : {"pread", "uring"}) {
    const std::uint64_t seed = t.random().below(1U << 20);
    crash::set_plan({});
    const Verdict right = verdict_on(kind, way, seed);
    if (!t.holds(!right.wrong)) {
      t.fail({.expected = fmt::format("a store without a mistake, on {}: what every power cut "
                                      "leaves is within its bounds",
                                      way),
              .found = fmt::format("of {} media the last: {}; {}", right.media,
                                   text_of(right.wrong), text_of(right.bounds)),
              .cause = "read the history from its end: which bounds were demanded, and at which "
                       "line were they true?",
              .function = "Run::live",
              .evidence = right.timeline});
    }
    if (!t.holds(right.media > 20)) {
      t.fail({.expected = fmt::format("more than 20 media of a life of six commits on {}", way),
              .found = fmt::format("{} media", right.media),
              .cause = "the power must be able to go at every call of the life: begin() and end() "
                       "see to that, and nothing between them may call it off",
              .function = "Run::live"});
    }
    crash::set_plan({.step = crash::Step::no_sync_after_meta, .every = 3, .rest = 1});
    const Verdict planted = verdict_on(kind, way, seed);
    if (!t.holds(planted.wrong.has_value())) {
      t.fail(
          {.expected = fmt::format("the same store without its last sync in commits 1 and 4, on "
                                   "{}: commit 1 is said to be done while its meta page is not "
                                   "on the medium, and some cut shows it",
                                   way),
           .found = fmt::format("{} media, and in none of them is anything wrong", planted.media),
           .cause = "the power must be able to go at every call of the life, also between two "
                    "commits, and by then Bounds::acknowledged must have been raised",
           .function = "Run::live"});
    }
  }
}

}  // namespace pagealloc::labs
