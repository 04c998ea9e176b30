// pagealloc_rig: what the scripts of the rigs run on a real kernel. See README.md here.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "harness/crash/canaries.h"
#include "harness/crash/rigs/failure.h"
#include "harness/crash/rigs/medium.h"
#include "harness/crash/rigs/probe.h"
#include "harness/crash/rigs/trial.h"
#include "pagealloc/ways.h"

namespace pagealloc::crash::rigs {
namespace {

enum ExitCode : int { fine = 0, lost = 1, failed = 2 };

struct Arguments {
  std::string store = std::string(correct().name);
  std::string way = "pread";
  std::string path;
  Run run;
  Progress progress;
  Bench bench;
  std::int64_t upto = -1;  // all of the log
  bool noted = false;
  std::string probe;
};

Subject subject_of(const Arguments& arguments) {
  Subject subject{.kind = &correct(), .options = {}, .path = arguments.path};
  for (const StoreKind& kind : canaries()) {
    if (kind.name == arguments.store) subject.kind = &kind;
  }
  subject.options = std::ranges::find(ways(), arguments.way, &Way::name)->options;
  return subject;
}

int complain(const std::string& cause) {
  fmt::print(stderr, "pagealloc_rig: {}\n", cause);
  return failed;
}

int do_run(const Arguments& arguments) {
  const auto done = run(subject_of(arguments), arguments.run);
  return done ? fine : complain(done.error());
}

int do_check(const Arguments& arguments) {
  const Judgement judgement = judge(subject_of(arguments), arguments.progress);
  fmt::print("{}: {}\n", judgement.lost ? "lost" : "fine", judgement.text);
  return judgement.lost ? lost : fine;
}

int do_judge(const Arguments& arguments) {
  const auto tally = judge_log(subject_of(arguments), arguments.bench);
  if (!tally) return complain(tally.error());
  fmt::print("{} {} {}\n", tally->cuts, tally->lost, tally->first);
  return fine;
}

const Probe& probe_of(const Arguments& arguments) {
  return *std::ranges::find(probes(), arguments.probe, &Probe::name);
}

std::expected<void, std::string> prepare_probe(const Arguments& arguments) {
  auto notes = ProgressFile::open(arguments.run.progress_path, arguments.run.progress_offset_bytes);
  if (!notes) return std::unexpected(notes.error());
  if (auto done = probe_of(arguments).before(arguments.path); !done) return done;
  return notes->note({.submitted = 1, .acknowledged = 1});
}

int do_probe(const Arguments& arguments) {
  const auto done = prepare_probe(arguments);
  return done ? fine : complain(done.error());
}

int do_answer(const Arguments& arguments) {
  const auto answer = probe_of(arguments).after(arguments.path);
  if (!answer) return complain(answer.error());
  fmt::print("{}\n", *answer);
  return fine;
}

int do_probes(const Arguments&) {
  for (const Probe& probe : probes()) fmt::print("{} {}\n", probe.name, probe.question);
  return fine;
}

int do_poison(const Arguments& arguments) {
  const auto refusals = poison(arguments.path, subject_of(arguments).options);
  if (!refusals) return complain(refusals.error());
  fmt::print("result {} {} {}\n", refusals->calls, refusals->succeeded, refusals->first);
  return fine;
}

int do_failed_fsync(const Arguments& arguments) {
  const auto found = failed_fsync(arguments.path);
  if (!found) return complain(found.error());
  fmt::print("result {}\n", *found);
  return fine;
}

/// The names, and whether the page cache is between them and the device: what dm-flakey can see.
int do_ways(const Arguments&) {
  for (const Way& way : ways()) {
    const bool by_default = way.options.impl == "direct" || way.options.impl == "uring";
    const bool direct =
        way.options.direct.value_or(by_default ? Direct::require : Direct::off) != Direct::off;
    fmt::print("{} {}\n", way.name, direct ? "direct" : "cached");
  }
  return fine;
}

int do_list(const Arguments& arguments) {
  const auto log = WriteLog::open(arguments.bench.log);
  if (!log) return complain(log.error());
  for (std::size_t i = 0; i < log->entries().size(); ++i) {
    const LogEntry& entry = log->entries()[i];
    fmt::print("{:6} offset {:10} bytes {:7}{}{}{}{}", i, entry.offset_bytes, entry.bytes,
               entry.flush() ? " flush" : "", entry.fua() ? " fua" : "",
               entry.discard() ? " discard" : "", entry.mark() ? " mark" : "");
    const auto data = log->data(i);
    if (!data) return complain(data.error());
    if (const auto noted = data->size() == record_bytes ? progress_of(*data) : std::nullopt) {
      fmt::print(" submitted {} acknowledged {}", noted->submitted, noted->acknowledged);
    }
    fmt::print("\n");
  }
  return fine;
}

std::expected<void, std::string> replay(const Arguments& arguments) {
  auto medium = Medium::open(arguments.bench.base);
  if (!medium) return std::unexpected(medium.error());
  if (!arguments.bench.log.empty()) {
    const auto log = WriteLog::open(arguments.bench.log);
    if (!log) return std::unexpected(log.error());
    const std::size_t all = log->entries().size();
    std::size_t end =
        arguments.upto < 0 ? all : std::min(all, static_cast<std::size_t>(arguments.upto));
    if (arguments.noted) {
      const auto least = least_after_note(*log, arguments.bench.progress_offset_bytes);
      if (!least) return std::unexpected(least.error());
      end = *least;
    }
    for (std::size_t i = 0; i < end; ++i) {
      if (auto done = medium->apply(*log, i); !done) return done;
    }
  }
  return medium->put_on(arguments.bench.device);
}

int do_replay(const Arguments& arguments) {
  const auto done = replay(arguments);
  return done ? fine : complain(done.error());
}

struct Command {
  CLI::App* app;
  int (*carry_out)(const Arguments&);
};

void add_subject(CLI::App& command, Arguments& arguments) {
  std::vector<std::string> stores = {std::string(correct().name)};
  std::vector<std::string> names;
  for (const StoreKind& kind : canaries()) stores.emplace_back(kind.name);
  for (const Way& way : ways()) names.emplace_back(way.name);
  command.add_option("--store", arguments.store, "What is put to the test")
      ->check(CLI::IsMember(stores))
      ->capture_default_str();
  command.add_option("--way", arguments.way, "How its file is opened")
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  command.add_option("--path", arguments.path, "Its file")->required();
}

void add_log(CLI::App& command, Arguments& arguments, bool required) {
  command.add_option("--log", arguments.bench.log, "The log of writes")->required(required);
}

void add_medium(CLI::App& command, Arguments& arguments) {
  command.add_option("--base", arguments.bench.base, "Image of the file system before the run")
      ->required();
  command.add_option("--device", arguments.bench.device, "OVERWRITTEN: where media are put")
      ->required();
}

std::vector<Command> add_commands(CLI::App& app, Arguments& arguments) {
  CLI::App* run = app.add_subcommand("run", "Commits 1, 2, 3 ... and notes the progress");
  add_subject(*run, arguments);
  run->add_option("--progress", arguments.run.progress_path, "File or device to note it on")
      ->required();
  run->add_option("--progress-offset", arguments.run.progress_offset_bytes, "Where, in bytes");
  run->add_option("--commits", arguments.run.commits, "So many; 0: until killed");
  run->add_option("--announce", arguments.run.announce, "Print a line when this one is done");

  CLI::App* check = app.add_subcommand("check", "Judges what is left; exit code 1: lost");
  add_subject(*check, arguments);
  check->add_option("--acknowledged", arguments.progress.acknowledged, "At least")->required();
  check->add_option("--submitted", arguments.progress.submitted, "At most")->required();

  CLI::App* judge = app.add_subcommand(
      "judge", "Judges every medium that a logged run may leave; prints CUTS LOST FIRST");
  add_subject(*judge, arguments);
  add_log(*judge, arguments, true);
  add_medium(*judge, arguments);
  judge->add_option("--mount-point", arguments.bench.mount_point, "An empty directory")->required();
  judge->add_option("--file-system", arguments.bench.file_system, "ext4, xfs")->required();
  judge->add_option("--progress-offset", arguments.bench.progress_offset_bytes, "Of the notes")
      ->required();

  CLI::App* poison = app.add_subcommand(
      "poison", "After a block failed, does a later write or sync succeed? Prints CALLS SUCCEEDED");
  add_subject(*poison, arguments);
  CLI::App* trap = app.add_subcommand("failed-fsync", "What Linux does when a block failed");
  trap->add_option("--path", arguments.path, "A new file")->required();

  CLI::App* questions = app.add_subcommand("probes", "Prints all probes and what they ask");
  CLI::App* probe = app.add_subcommand("probe", "Does what a probe asks about, and notes it");
  CLI::App* answer = app.add_subcommand("answer", "What the cut has left of that");
  for (CLI::App* command : {probe, answer}) {
    std::vector<std::string> known;
    for (const Probe& one : probes()) known.emplace_back(one.name);
    command->add_option("name", arguments.probe, "Which")->required()->check(CLI::IsMember(known));
    command->add_option("--path", arguments.path, "A directory of its own")->required();
  }
  probe->add_option("--progress", arguments.run.progress_path, "As for run")->required();
  probe->add_option("--progress-offset", arguments.run.progress_offset_bytes, "As for run");

  CLI::App* names = app.add_subcommand("ways", "Prints all ways, and which are cached");

  CLI::App* list = app.add_subcommand("list", "Prints a log of writes");
  add_log(*list, arguments, true);

  CLI::App* replay = app.add_subcommand("replay", "Puts one medium on a device");
  add_medium(*replay, arguments);
  add_log(*replay, arguments, false);
  replay->add_option("--upto", arguments.upto, "So many entries of the log (default: all)");
  replay->add_flag("--noted", arguments.noted, "The least that the first commit noted leaves");
  replay->add_option("--progress-offset", arguments.bench.progress_offset_bytes, "Of the notes");
  return {{run, do_run},           {check, do_check},      {judge, do_judge},  {poison, do_poison},
          {trap, do_failed_fsync}, {questions, do_probes}, {probe, do_probe},  {answer, do_answer},
          {names, do_ways},        {list, do_list},        {replay, do_replay}};
}

}  // namespace
}  // namespace pagealloc::crash::rigs

int main(int argc, char** argv) {
  using namespace pagealloc::crash::rigs;
  Arguments arguments;
  CLI::App app{
      "Parts of the crash rigs, which run on a real kernel. Exit code 2: it did not work."};
  app.require_subcommand(1);
  const auto commands = add_commands(app, arguments);
  CLI11_PARSE(app, argc, argv);
  for (const Command& command : commands) {
    if (command.app->parsed()) return command.carry_out(arguments);
  }
  return failed;
}
