// Tasks 1 and 2: who is given a descriptor with O_DIRECT, who one without, and who none. Only the
// calls count here, so that nothing is needed of what open() does afterwards.
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "labs/03_direct/tests/support.h"
#include "labs/03_direct/tests/tests.h"

namespace pagealloc::labs {

using conformance::Record;
using os::Call;

namespace {

const char* const descriptor = "SharedFile::open_descriptor";

/// Whose decision it was, for this wish.
const char* decided_by(std::optional<Direct> direct) {
  return direct ? descriptor : "impl_direct::open";
}

}  // namespace

void off_is_refused(Test& t) {
  Bench bench(t);
  bench.kernel.log_all(true);
  Options options = direct_options(bench, Direct::off);
  options.create = true;
  const auto file = pagealloc::open(new_path, options);
  const bool refused = !file && file.error().code == Errc::bad_argument;
  if (!t.holds(refused)) {
    t.fail({.expected = "bad_argument for impl = direct with direct = off",
            .found = file ? "a file without O_DIRECT under the name direct"
                          : fmt::format("{}: {}", name_of(file.error().code), file.error().text()),
            .cause = "the two options contradict each other; direct without O_DIRECT is pread "
                     "under another name",
            .function = "impl_direct::open",
            .evidence = bench.calls()});
  }
  if (!t.holds(bench.kernel.log().empty())) {
    t.fail({.expected = "the contradiction is found without a system call",
            .found = "calls were made, and what they had made may stay behind",
            .cause = "options are looked at before the file is",
            .function = "impl_direct::open",
            .evidence = bench.calls()});
  }
}

void direct_is_asked_for(Test& t) {
  const std::pair<std::optional<Direct>, bool> wishes[] = {{Direct::require, false},
                                                           {Direct::require, true},
                                                           {Direct::attempt, false},
                                                           {std::nullopt, false}};
  for (const auto& [direct, read_only] : wishes) {
    Bench bench(t);
    stop_after_opening(bench);
    Options options = direct_options(bench, direct);
    options.read_only = read_only;
    (void)pagealloc::open(bench_path, options);
    const auto opens = opens_of(bench);
    const std::string wish =
        text_of(direct) + (read_only ? ", read_only" : "") + ", and nothing refuses O_DIRECT";
    if (!t.holds(opens.size() == 1)) {
      t.fail({.expected = fmt::format("one open() of the file ({})", wish),
              .found = fmt::format("{}", opens.size()),
              .cause = opens.empty() ? "open_or_create() was not called"
                                     : "a second descriptor was opened although the first one was "
                                       "granted",
              .function = descriptor,
              .evidence = calls_until_stopped(bench)});
    }
    const int flags = opens.front().flags;
    if (!t.holds((flags & O_DIRECT) != 0)) {
      t.fail({.expected = fmt::format("the file is opened with O_DIRECT ({})", wish),
              .found = "it is opened with " + text_of_flags(flags),
              .cause = direct ? "the flag is missing: every read and write goes through the page "
                                "cache, and nobody is told. That is an O_DIRECT that is silently "
                                "buffered"
                              : "an unset Options::direct was taken for off. Who chooses the "
                                "implementation direct and says no more has required O_DIRECT",
              .function = decided_by(direct),
              .evidence = calls_until_stopped(bench)});
    }
    const int wanted = O_CLOEXEC | O_DIRECT | (read_only ? O_RDONLY : O_RDWR);
    if (!t.holds(flags == wanted)) {
      t.fail({.expected = fmt::format("the flags {} ({})", text_of_flags(wanted), wish),
              .found = text_of_flags(flags),
              .cause = "reading and writing unless the options say read_only; O_CLOEXEC always; "
                       "O_DSYNC for write_through only",
              .function = descriptor,
              .evidence = calls_until_stopped(bench)});
    }
  }
}

namespace {

void nothing_is_opened_without(Test& t, std::optional<Direct> direct) {
  Bench bench(t, {.machine = {.refuses_direct = true}});
  stop_after_opening(bench);
  (void)pagealloc::open(bench_path, direct_options(bench, direct));
  for (const Record& record : opens_of(bench)) {
    if (t.holds((record.flags & O_DIRECT) != 0)) continue;
    t.fail({.expected = fmt::format("not_available ({}, and this file system refuses O_DIRECT)",
                                    text_of(direct)),
            .found = "the file was opened once more, with " + text_of_flags(record.flags),
            .cause = direct ? "EINVAL was answered by a second try for someone who had required "
                              "O_DIRECT: an O_DIRECT that is silently buffered"
                            : "who chooses the implementation direct and says no more has required "
                              "O_DIRECT, not attempted it: what he gets here is an O_DIRECT that "
                              "is silently buffered",
            .function = decided_by(direct),
            .evidence = calls_until_stopped(bench)});
  }
}

void refusal_is_named(Test& t, std::optional<Direct> direct, bool create) {
  Bench bench(t, {.machine = {.refuses_direct = true}});
  bench.kernel.log_all(true);
  Options options = direct_options(bench, direct);
  options.create = create;
  const char* const path = create ? new_path : bench_path;
  const auto file = pagealloc::open(path, options);
  const bool named = !file && file.error().code == Errc::not_available &&
                     file.error().cause.find("O_DIRECT") != std::string::npos;
  if (!t.holds(named)) {
    t.fail({.expected = fmt::format("not_available, and a text with the word O_DIRECT ({}, and "
                                    "this file system refuses it)",
                                    text_of(direct)),
            .found = file ? "the file was opened"
                          : fmt::format("{}: {}", name_of(file.error().code), file.error().text()),
            .cause = "EINVAL from open() with O_DIRECT is a file system's no. To the caller that "
                     "is not a file which cannot be opened, but something this place does not have",
            .function = decided_by(direct),
            .evidence = bench.calls()});
  }
  struct statx now{};
  const bool there = bench.sim.statx(AT_FDCWD, path, 0, STATX_SIZE, &now) == 0;
  if (!t.holds(there != create)) {
    t.fail({.expected = create ? "the file that open() had made is gone again"
                               : "a file that was there before is still there",
            .found = create ? "an empty file stays behind" : "it was removed",
            .cause = "the machine makes the file before it refuses O_DIRECT; open_or_create() "
                     "remembers whose it is, if it is what opens the file",
            .function = descriptor,
            .evidence = bench.calls()});
  }
}

}  // namespace

void required_and_refused_is_an_error(Test& t) {
  const std::optional<Direct> wishes[] = {Direct::require, std::nullopt};
  for (const auto& direct : wishes) nothing_is_opened_without(t, direct);
  for (const auto& direct : wishes) {
    refusal_is_named(t, direct, true);
    refusal_is_named(t, direct, false);
  }
}

namespace {

void second_try_is_without(Test& t, bool create) {
  Bench bench(t, {.machine = {.refuses_direct = true}});
  stop_after_opening(bench);
  Options options = direct_options(bench, Direct::attempt);
  options.create = create;
  options.write_through = true;
  const char* const path = create ? new_path : bench_path;
  const auto file = pagealloc::open(path, options);
  const auto opens = opens_of(bench, path);
  const bool two =
      opens.size() == 2 && (opens[0].flags & O_DIRECT) != 0 && (opens[1].flags & O_DIRECT) == 0;
  if (!t.holds(two)) {
    t.fail({.expected = "two calls of open(): one with O_DIRECT, and when that says EINVAL one "
                        "without (direct = attempt)",
            .found = fmt::format("{} of them; open ended with: {}", opens.size(),
                                 file ? "ok" : file.error().text()),
            .cause = "attempted means that a refusal is no error",
            .function = descriptor,
            .evidence = calls_until_stopped(bench)});
  }
  constexpr int name = O_CREAT | O_EXCL;  // whose the file is, not how it is written
  const int first = opens[0].flags & ~name & ~O_DIRECT;
  if (!t.holds((opens[1].flags & ~name) == first && (opens[1].flags & O_EXCL) == 0)) {
    t.fail(
        {.expected = fmt::format("the second call asks for {}, as the first one but for O_DIRECT",
                                 text_of_flags(first)),
         .found = text_of_flags(opens[1].flags),
         .cause = "only O_DIRECT was refused; all else that was asked for still holds, O_DSYNC "
                  "of a write-through file with it",
         .function = descriptor,
         .evidence = calls_until_stopped(bench)});
  }
}

}  // namespace

void attempted_and_refused_goes_without(Test& t) {
  second_try_is_without(t, false);
  second_try_is_without(t, true);
  // EINVAL is the refusal; every other error is about the file.
  Bench bench(t);
  stop_after_opening(bench);
  bench.kernel.fail_next(Call::open, EACCES);
  const auto file = pagealloc::open(bench_path, direct_options(bench, Direct::attempt));
  const auto opens = opens_of(bench);
  const bool passed_on = !file && file.error().os_error == EACCES && opens.size() == 1;
  if (!t.holds(passed_on)) {
    t.fail({.expected = "EACCES from open() with O_DIRECT is passed on (direct = attempt)",
            .found = opens.size() > 1 ? "the file was opened once more, without O_DIRECT"
                                      : fmt::format("{}", file ? "ok" : file.error().text()),
            .cause =
                "only EINVAL says that the file system refuses O_DIRECT. After any other error "
                "a try without it may succeed for another reason, and then a file that could "
                "have had O_DIRECT is silently buffered",
            .function = descriptor,
            .evidence = calls_until_stopped(bench)});
  }
}

}  // namespace pagealloc::labs
