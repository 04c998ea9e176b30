// Task 5: Run::judge_survivor(), on machines whose process has died.
#include <fmt/format.h>

#include "harness/crash/timeline.h"
#include "labs/06_break_it/tests/media.h"
#include "labs/06_break_it/tests/tests.h"

namespace pagealloc::labs {

using crash::Bounds;
using Condemned = crash::Failure;
using crash::Left;
using crash::Weather;
using os::sim::SimKernel;

namespace {

/// A process has died inside of commit n: the meta page is in the page cache, and nowhere else.
Left died_inside(std::uint64_t seed, std::uint64_t n) {
  const auto before = machine_with(seed, n - 1);
  Options options;
  options.impl = "pread";
  options.kernel = before.get();
  crash::set_plan({.step = crash::Step::no_sync_after_meta});
  const auto store = crash::protocol(0).make();
  const bool good =
      store->open(crash::store_path, options).has_value() && store->commit(n).has_value();
  Left left{.bounds = {n - 1, good ? n : n - 1}, .oracle = 'i'};
  left.machine = std::make_unique<SimKernel>(os::sim::Machine{.seed = seed + 1}, *before);
  left.timeline = crash::timeline_of(*before) + "==== the process dies\n";
  return left;
}

std::optional<Condemned> judged(std::uint64_t seed, std::uint64_t n, crash::Step step) {
  Left left = died_inside(seed, n);
  crash::set_plan({.step = step});
  Judging at(crash::protocol(0), seed, Weather::calm);
  return at.run.judge_survivor(left);
}

}  // namespace

void what_was_shown_must_stay(Test& t) {
  const std::uint64_t n = 2 + t.random().below(4);
  constexpr int machines = 12;
  int condemned = 0;
  std::optional<Condemned> failure;
  for (int i = 0; i < machines; ++i) {
    const std::uint64_t seed = t.random().below(1U << 20);
    const auto right = judged(seed, n, crash::Step::as_it_is);
    if (!t.holds(!right)) {
      t.fail({.expected = fmt::format("a process died inside of commit {}. The next one syncs when "
                                      "it opens the file, reads commit {}, and whatever it read "
                                      "survives the power cut: nothing is wrong",
                                      n, n),
              .found = fmt::format("judge_survivor() says: {}", text_of(right)),
              .cause = "what may be found after the power cut goes from what was shown, "
                       "store->last(), to what was submitted",
              .function = "Run::judge_survivor",
              .evidence = right->timeline});
    }
    const auto found = judged(seed, n, crash::Step::recovered_not_synced);
    condemned += found ? 1 : 0;
    if (found) failure = found;
  }
  if (!t.holds(condemned >= machines / 2)) {
    t.fail({.expected = fmt::format("a store that opens a file without a sync shows commit {} from "
                                    "the page cache of a dead process; then the power goes, and "
                                    "commit {} is left. Of {} machines most show it",
                                    n, n - 1, machines),
            .found = fmt::format("{} of {} were condemned", condemned, machines),
            .cause =
                "after a process has died everything is still in memory, and the mistake shows "
                "when the power goes after that, once in a few draws. What a new process has "
                "read it may have told somebody: from then on it must stay, acknowledged or "
                "not",
            .function = "Run::judge_survivor",
            .evidence = died_inside(t.seed(), n).timeline});
  }
  if (!t.holds(failure->oracle == 'i' && failure->acknowledged == n)) {
    t.fail({.expected = fmt::format("oracle (i) has found it, with commit {} as the least that "
                                    "must be there",
                                    n),
            .found = text_of(failure),
            .cause = "cut_after() makes the Left: it wants what was shown",
            .function = "Run::judge_survivor",
            .evidence = failure->timeline});
  }
}

namespace {

void check_script(Test& t, const Script& says, Weather weather, bool condemned,
                  const std::string& what, const std::string& cause) {
  const std::uint64_t n = 3;
  Left left{.bounds = {n, n + 1}, .oracle = 'i', .timeline = "==== the process dies\n"};
  left.machine = std::make_unique<SimKernel>(os::sim::Machine{.seed = t.seed()});
  script() = says;
  Judging at(scripted(), t.other_seed(), weather);
  const auto found = at.run.judge_survivor(left);
  if (t.holds(condemned ? found && found->oracle == 'i' : !found)) return;
  t.fail({.expected = fmt::format("{}: {}", what, condemned ? "oracle (i)" : "nothing is wrong"),
          .found = fmt::format("judge_survivor() says: {}", text_of(found)),
          .cause = cause,
          .function = "Run::judge_survivor",
          .evidence = fmt::format("the store   {}\nthe bounds  {}\nthe weather {}\n", text_of(says),
                                  text_of(Bounds{n, n + 1}), name_of(weather))});
}

}  // namespace

void who_was_told_may_refuse(Test& t) {
  Script refuses = holding(3);
  refuses.opens = false;
  Script unreadable = holding(3);
  unreadable.bytes.reset();
  Script wrong = holding(3);
  wrong.bytes->at(7) ^= std::byte{1};
  const char* const right =
      "that a page could not be written back is told to whoever syncs next, also to a new process "
      "at open: an answer that is not served is right where the disk fails";
  const char* const excused =
      "a disk that fails excuses an error, and nothing that was served as if all were well";
  const char* const good_disk = "no call has failed, so the store has no reason to refuse";
  check_script(t, refuses, Weather::failing, false,
               "the disk fails, and the new process is told so and refuses to open", right);
  check_script(t, unreadable, Weather::failing, false,
               "the disk fails, and the new process says that it cannot read", right);
  check_script(t, holding(2), Weather::failing, true,
               "the disk fails, and the new process serves commit 2, although 3 was acknowledged",
               excused);
  check_script(t, wrong, Weather::failing, true,
               "the disk fails, and the new process serves bytes that commit 3 never wrote",
               excused);
  check_script(t, refuses, Weather::calm, true,
               "nothing fails, and the new process refuses to open", good_disk);
  check_script(t, holding(4), Weather::calm, false,
               "nothing fails, and the new process shows commit 4, which was submitted",
               "a commit that was under way may be there");
  const std::uint64_t judged_after = script().opened - 1;
  if (t.holds(judged_after >= crash::cuts_per_point)) return;
  t.fail({.expected = fmt::format("after the new process has looked the power goes {} times, and a "
                                  "machine opens the store on each of the media",
                                  crash::cuts_per_point),
          .found = fmt::format("media on which it was opened: {}", judged_after),
          .cause = "one draw shows one case: what was shown and not synced is kept by many cuts. "
                   "Draw as often as cut() does (cuts_per_point), and judge each medium",
          .function = "Run::judge_survivor"});
}

}  // namespace pagealloc::labs
