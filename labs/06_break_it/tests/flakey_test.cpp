// Task 6: bounds_of(), on notes of a test that drops writes.
#include "harness/crash/flakey.h"

#include <fmt/format.h>

#include <vector>

#include "harness/crash/timeline.h"
#include "labs/06_break_it/tests/media.h"
#include "labs/06_break_it/tests/tests.h"

namespace pagealloc::labs {

using crash::Bounds;
using crash::DeviceNote;
using enum crash::DeviceNote::What;
using Notes = std::vector<DeviceNote>;

namespace {

/// So many of the first notes are commits in turn, each acknowledged before the next begins.
std::size_t in_turn(const Notes& notes) {
  std::size_t pairs = 0;
  while (2 * pairs + 1 < notes.size() && notes[2 * pairs].what == submitted &&
         notes[2 * pairs + 1].what == acknowledged &&
         notes[2 * pairs].commit == notes[2 * pairs + 1].commit) {
    ++pairs;
  }
  return 2 * pairs;
}

std::string text_of(const Notes& notes) {
  const std::size_t known = in_turn(notes);
  std::string text;
  if (known > 0) {
    text = fmt::format("  commits {} to {}: each begins and is acknowledged\n", notes[0].commit,
                       notes[known - 1].commit);
  }
  for (const DeviceNote& note : std::span(notes).subspan(known)) {
    const auto word = [&]() -> std::string {
      switch (note.what) {
        case submitted:
          return fmt::format("commit {} begins", note.commit);
        case acknowledged:
          return fmt::format("commit {} is acknowledged", note.commit);
        case drops_begin:
          return "==== from here on writes are dropped, and said to be written";
        case drops_end:
          return "==== from here on writes are kept";
        case killed:
          return "the process is killed";
        case unmounted:
          return "the file system is unmounted";
        case file_system_synced:
          return "the test syncs the file system";
      }
      return {};
    };
    text += "  " + word() + "\n";
  }
  return text.empty() ? "  no note at all\n" : text;
}

std::string text_of(const std::optional<Bounds>& bounds) {
  return bounds ? fmt::format("at least commit {}, at most commit {}", bounds->acknowledged,
                              bounds->submitted)
                : "no verdict";
}

[[noreturn]] void fail(Test& t, const Notes& notes, const std::string& expected,
                       const std::optional<Bounds>& found, const std::string& cause) {
  t.fail({.expected = expected,
          .found = fmt::format("bounds_of() demands: {}", text_of(found)),
          .cause = cause,
          .function = "bounds_of",
          .evidence = "the notes, in order:\n" + text_of(notes)});
}

void check_no_verdict(Test& t, const Notes& notes, const std::string& why,
                      const std::string& cause) {
  const auto found = crash::bounds_of(notes);
  if (!t.holds(!found)) fail(t, notes, fmt::format("no verdict: {}", why), found, cause);
}

/// At most one of those that were begun. Of these, those after the drops began cannot be there, so
/// who leaves them out is right as well. `no_verdict` is the cause where there is none.
void check_bounds(Test& t, const Notes& notes, Bounds widest, std::uint64_t begun_before_drops,
                  const char* no_verdict =
                      "writes were dropped to the end: that is what a power "
                      "cut does") {
  const auto found = crash::bounds_of(notes);
  const bool good = found && found->acknowledged == widest.acknowledged &&
                    found->submitted >= begun_before_drops && found->submitted <= widest.submitted;
  if (t.holds(good)) return;
  std::string cause = "what was submitted may be there, and nothing after it";
  if (!found) cause = no_verdict;
  if (found && found->acknowledged > widest.acknowledged) {
    cause =
        "these commits were acknowledged while the device said \"written\" of what it dropped. "
        "No program can know that: it is the device's mistake and not the store's. What counts "
        "is what was acknowledged before the drops began";
  }
  if (found && found->acknowledged < widest.acknowledged) {
    cause =
        "what was acknowledged before the drops began is on the medium, or the store has lost "
        "it. A note says which commit it is about (DeviceNote::commit); the first need not be 1";
  }
  std::string expected = text_of(std::optional(widest));
  if (begun_before_drops < widest.submitted) {
    expected += fmt::format(" (or {}, the last one that began before the drops: both are right)",
                            begun_before_drops);
  }
  fail(t, notes, expected, found, cause);
}

void add(Notes& notes, std::uint64_t commit) {
  notes.push_back({submitted, commit});
  notes.push_back({acknowledged, commit});
}
void add(Notes& notes, std::initializer_list<DeviceNote> more) { notes.insert(notes.end(), more); }

/// Commits 1 to n, with n + 1 under way when the drops begin, and `later` more after it.
Notes cut_inside(std::uint64_t n, std::uint64_t later) {
  Notes notes;
  for (std::uint64_t commit = 1; commit <= n; ++commit) add(notes, commit);
  add(notes, {{submitted, n + 1}, {drops_begin}, {acknowledged, n + 1}});
  for (std::uint64_t i = 0; i < later; ++i) add(notes, n + 2 + i);
  return notes;
}

}  // namespace

void acknowledged_before_the_drops(Test& t) {
  const std::uint64_t n = 2 + t.random().below(30);
  const std::uint64_t later = 1 + t.random().below(4);
  Notes notes = cut_inside(n, later);
  add(notes, {{killed}, {unmounted}});
  check_bounds(t, notes, {n, n + 1 + later}, n + 1);
  // Between two commits, and nothing after it.
  Notes quiet;
  for (std::uint64_t commit = 1; commit <= n; ++commit) add(quiet, commit);
  add(quiet, {{drops_begin}, {killed}, {unmounted}});
  check_bounds(t, quiet, {n, n}, n);
  // Before the first one.
  const Notes empty = {{submitted, 1}, {drops_begin}, {acknowledged, 1}, {killed}, {unmounted}};
  check_bounds(t, empty, {0, 1}, 1);
  // The file was there before, with commits of another run.
  const std::uint64_t first = 40 + n;
  Notes again;
  for (std::uint64_t commit = first; commit < first + 3; ++commit) add(again, commit);
  add(again, {{submitted, first + 3}, {drops_begin}, {killed}, {unmounted}});
  check_bounds(t, again, {first + 2, first + 3}, first + 3);
}

namespace {

/// The loop that is found everywhere, on a simulated machine: for some commits all is well, for
/// some what is written is dropped and said to be written, and so on.
struct Famous {
  Notes notes;
  std::uint64_t acknowledged = 0;
  std::uint64_t recovered = 0;
  std::string timeline;
};

Famous famous(std::uint64_t seed, std::uint64_t good, std::uint64_t dropped) {
  Famous run;
  os::sim::SimKernel kernel({.seed = seed});
  kernel.trace().keep();
  Options options;
  options.impl = "pread";
  options.kernel = &kernel;
  crash::set_plan({});
  const auto store = crash::protocol(0).make();
  (void)store->open(crash::store_path, options);
  const auto commit = [&] {
    if (!store->commit(run.acknowledged + 1)) return;
    add(run.notes, ++run.acknowledged);
  };
  for (std::uint64_t i = 0; i < good; ++i) commit();
  os::sim::FaultRates drops;
  drops[os::sim::Fault::lost_write] = 1;
  drops[os::sim::Fault::lying_flush] = 1;
  kernel.set_faults(drops);
  run.notes.push_back({drops_begin});
  for (std::uint64_t i = 0; i < dropped; ++i) commit();
  run.timeline = crash::timeline_of(kernel);
  kernel.set_faults({});
  add(run.notes, {{drops_end}, {killed}, {unmounted}});
  os::sim::SimKernel another({.seed = seed, .image = kernel.cut(os::sim::Tearing::none)});
  options.kernel = &another;
  const auto again = crash::protocol(0).make();
  if (again->open(crash::store_path, options)) run.recovered = again->last();
  return run;
}

const char* const no_cut =
    "writes were dropped, and later ones would have been kept. A power cut has nothing after it, "
    "so this was none";

}  // namespace

void drops_that_end_are_no_cut(Test& t) {
  const std::uint64_t n = 2 + t.random().below(5);
  const Famous loop = famous(t.seed(), n, 2);
  if (!t.holds(loop.acknowledged == n + 2 && loop.recovered < loop.acknowledged)) {
    t.fail({.expected = "a store without a mistake loses commits on a device that lies",
            .found = fmt::format("{} acknowledged, {} found", loop.acknowledged, loop.recovered),
            .cause = "the grader is broken; please report this",
            .function = {}});
  }
  const auto found = crash::bounds_of(loop.notes);
  if (!t.holds(!found)) {
    fail(t, loop.notes,
         fmt::format("no verdict. The store that ran here has no mistake; {} commits were "
                     "acknowledged, and commit {} was found",
                     loop.acknowledged, loop.recovered),
         found, no_cut);
  }
  const char* const why = "writes were dropped for a while, and not for good";
  Notes between = cut_inside(n, 1);
  add(between, {{killed}, {drops_end}, {unmounted}});
  check_no_verdict(t, between, why,
                   "the process is gone, and the kernel still writes what it has: until the file "
                   "system is unmounted the drops must not end");
  Notes twice = cut_inside(n, 1);
  add(twice, {{drops_end}, {submitted, n + 3}, {acknowledged, n + 3}, {drops_begin}});
  add(twice, {{submitted, n + 4}, {acknowledged, n + 4}, {killed}, {unmounted}});
  check_no_verdict(t, twice, why, no_cut);
  Notes after = cut_inside(n, 2);
  add(after, {{killed}, {unmounted}, {drops_end}});
  check_bounds(t, after, {n, n + 3}, n + 1,
               "the file system was unmounted before the drops ended: nothing of this run was "
               "written any more, so what comes then changes nothing");
}

void neither_is_a_kill(Test& t) {
  const std::uint64_t n = 2 + t.random().below(30);
  Notes only_killed;
  for (std::uint64_t commit = 1; commit <= n; ++commit) add(only_killed, commit);
  Notes synced = only_killed;
  add(only_killed, {{submitted, n + 1}, {killed}, {unmounted}});
  const char* const kill =
      "after kill -9 the kernel still has every page, and writes them later: a store without any "
      "sync survives it";
  check_no_verdict(t, only_killed, "no write was dropped", kill);
  check_no_verdict(t, {}, "nothing has happened", kill);
  // Only then the drops begin: what the kernel has not written by then never arrives.
  Notes killed_first = only_killed;
  killed_first.insert(killed_first.end() - 1, {drops_begin});
  check_bounds(
      t, killed_first, {n, n + 1}, n + 1,
      "the process is killed, and from the drops on the kernel writes in vain: what was not "
      "durable when they began is gone, as after a power cut. Which of the two comes first "
      "changes nothing");
  Notes late = only_killed;
  add(late, {{drops_begin}});
  check_no_verdict(
      t, late, "writes were dropped only when there were none any more",
      "the file system was unmounted when the drops began: everything had been written, "
      "so no power was taken");
  add(synced, {{file_system_synced}, {drops_begin}, {killed}, {unmounted}});
  check_no_verdict(t, synced, "the test itself has made everything durable",
                   "the test synced the file system before it took the power: that hides every "
                   "missing sync of the store");
  Notes dropped = cut_inside(n, 2);
  add(dropped, {{file_system_synced}, {killed}, {unmounted}});
  check_bounds(t, dropped, {n, n + 3}, n + 1,
               "this sync of the test's came when the drops had begun: it has written nothing, and "
               "hides nothing. Only one before them does the store's work");
}

}  // namespace pagealloc::labs
