// pagealloc_crash: takes the power away from a store, seed after seed, and says what was lost.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "harness/crash/canaries.h"
#include "harness/crash/demo.h"
#include "harness/crash/driver.h"
#include "pagealloc/ways.h"

namespace pagealloc::crash {
namespace {

struct Arguments {
  std::string store = "two-page";
  std::string way;           // empty: all
  std::uint64_t seed = 0;    // 0: as many as there is time for
  std::uint64_t states = 0;  // 0: until the time is over
  std::uint64_t commits = Experiment{}.commits;
  std::string weather;  // empty: what each seed says
  bool drop_only = false;
  double seconds = 10;
  std::string json;
  bool demo = false;
  bool list_ways = false;
};

volatile std::sig_atomic_t interrupted = 0;

const StoreKind* kind_of(const std::string& name) {
  for (const StoreKind* kind : {&correct(), &correct_on_two_handles(), &correct_allocator()}) {
    if (name == kind->name) return kind;
  }
  for (const StoreKind& kind : canaries()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

std::optional<Weather> weather_named(const std::string& name) {
  const auto* const found = std::ranges::find(weather_names, name);
  if (found == weather_names.end()) return {};
  return static_cast<Weather>(found - weather_names.begin());
}

/// Seconds since it was made.
class Watch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Overwrites itself on a terminal; elsewhere nothing is said before the end.
void show_progress(const Way& way, const Tally& tally, const Watch& watch) {
  if (isatty(STDERR_FILENO) == 0 || tally.seeds % 64 != 0) return;
  fmt::print(stderr, "\r{:<16} {:>12} distinct states, {:.0f} s ", way.name, tally.distinct.size(),
             watch.seconds());
}

nlohmann::ordered_json json_of(const Way& way, const Arguments& arguments, const Tally& tally,
                               double seconds, bool survived) {
  nlohmann::ordered_json faults;
  for (std::size_t i = 0; i < os::sim::fault_kinds; ++i) {
    faults[os::sim::fault_names[i]] = tally.faults.count[i];
  }
  return {{"store", arguments.store},
          {"way", way.name},
          {"survived", survived},
          {"seeds", tally.seeds},
          {"power_cuts", tally.cuts},
          {"distinct_states", tally.distinct.size()},
          {"torn_words", tally.torn_words},
          {"recoveries_cut", tally.recoveries_cut},
          {"process_deaths", tally.deaths},
          {"damaged_media", tally.damaged},
          {"write_backs", tally.faults.write_backs},
          {"faults", faults},
          {"seconds", seconds},
          {"distinct_states_per_second", static_cast<double>(tally.distinct.size()) / seconds}};
}

bool is_over(const Arguments& arguments, const Tally& tally, const Watch& watch) {
  if (interrupted != 0 || arguments.seed != 0) return true;
  if (arguments.states != 0) return tally.distinct.size() >= arguments.states;
  return watch.seconds() > arguments.seconds;
}

bool survives(const StoreKind& kind, const Way& way, const Arguments& arguments,
              nlohmann::ordered_json& results) {
  const Experiment experiment{
      .kind = &kind,
      .options = way.options,
      .commits = arguments.commits,
      .weather = weather_named(arguments.weather),
      .tearing = arguments.drop_only ? os::sim::Tearing::none : os::sim::Tearing::sector};
  const Watch watch;
  Tally tally;
  std::optional<Failure> failure;
  for (std::uint64_t seed = std::max<std::uint64_t>(arguments.seed, 1); !failure; ++seed) {
    failure = run_seed(experiment, seed, tally);
    show_progress(way, tally, watch);
    if (is_over(arguments, tally, watch)) break;
  }
  if (isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\r{:60}\r", "");
  results.push_back(json_of(way, arguments, tally, watch.seconds(), !failure));
  if (failure) {
    fmt::print("{}", text_of(shortest(experiment, *failure), kind, way.name));
    if (arguments.drop_only) fmt::print("            with --drop-only\n");
    return false;
  }
  fmt::print("{} on {}: survived {} power cuts of {} seed{}, {} distinct states, {:.0f} a second\n",
             kind.name, way.name, tally.cuts, tally.seeds, tally.seeds == 1 ? "" : "s",
             tally.distinct.size(), static_cast<double>(tally.distinct.size()) / watch.seconds());
  std::fflush(stdout);
  return true;
}

bool write_json(const std::string& path, const nlohmann::ordered_json& results) {
  std::ofstream file(path);
  file << results.dump(1) << '\n';
  file.close();
  if (!file) fmt::print(stderr, "pagealloc_crash: cannot write {}\n", path);
  return static_cast<bool>(file);
}

int run(const Arguments& arguments) {
  const StoreKind* kind = kind_of(arguments.store);
  auto results = nlohmann::ordered_json::array();
  bool good = true;
  for (const Way& way : ways()) {
    if (interrupted != 0) break;
    if (!arguments.way.empty() && way.name != arguments.way) continue;
    good = survives(*kind, way, arguments, results) && good;
  }
  if (!arguments.json.empty()) good = write_json(arguments.json, results) && good;
  constexpr int interrupted_code = 130;
  return interrupted != 0 ? interrupted_code : good ? 0 : 1;
}

}  // namespace
}  // namespace pagealloc::crash

int main(int argc, char** argv) {
  using namespace pagealloc::crash;
  Arguments arguments;
  std::vector<std::string> stores = {std::string(correct().name),
                                     std::string(correct_on_two_handles().name),
                                     std::string(correct_allocator().name)};
  std::vector<std::string> names;
  for (const StoreKind& kind : canaries()) stores.emplace_back(kind.name);
  for (const pagealloc::Way& way : pagealloc::ways()) names.emplace_back(way.name);
  CLI::App app{
      "Runs a store on a simulated machine, takes the power away at every call, and judges what "
      "is\n"
      "left. Exit code 1: something was lost."};
  app.add_option("--store", arguments.store, "What is put to the test")
      ->check(CLI::IsMember(stores))
      ->capture_default_str();
  app.add_option("--way", arguments.way, "How its file is opened (default: all ways)")
      ->check(CLI::IsMember(names));
  app.add_option("--seed", arguments.seed, "This one only, as a failure told you");
  app.add_option("--commits", arguments.commits, "Of a seed's run")->capture_default_str();
  app.add_option("--weather", arguments.weather, "What else goes wrong (default: the seed says)")
      ->check(CLI::IsMember(std::vector<std::string>(weather_names.begin(), weather_names.end())));
  app.add_flag("--drop-only", arguments.drop_only, "Blocks are lost whole and never torn");
  app.add_option("--seconds", arguments.seconds, "For each way")->capture_default_str();
  app.add_option("--states", arguments.states, "For each way, instead of a time: distinct states");
  app.add_option("--json", arguments.json, "Write what was counted to this file, too");
  app.add_flag("--list-ways", arguments.list_ways, "Print the names of all ways");
  app.add_flag("--demo", arguments.demo, "Show what a missing sync loses, in a second");
  app.footer(
      "Examples:\n"
      "  pagealloc_crash --demo\n"
      "  pagealloc_crash --seconds 60\n"
      "  pagealloc_crash --store no-sync-before-meta --way pread --seed 1");
  CLI11_PARSE(app, argc, argv);
  struct sigaction action{};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // a second Ctrl-C ends it at once
  sigaction(SIGINT, &action, nullptr);
  if (arguments.list_ways) {
    for (const pagealloc::Way& way : pagealloc::ways()) fmt::print("{}\n", way.name);
    return 0;
  }
  return arguments.demo ? demo() : run(arguments);
}
