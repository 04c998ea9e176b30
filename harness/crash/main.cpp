// pagealloc_crash: takes the power away from a store, seed after seed, and says what was lost.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "harness/crash/canaries.h"
#include "harness/crash/demo.h"
#include "harness/crash/driver.h"
#include "harness/crash/ways.h"

namespace pagealloc::crash {
namespace {

struct Arguments {
  std::string store = "two-page";
  std::string way;         // empty: all
  std::uint64_t seed = 0;  // 0: as many as there is time for
  double seconds = 10;
  bool demo = false;
};

const StoreKind* kind_of(const std::string& name) {
  if (name == correct().name) return &correct();
  for (const StoreKind& kind : canaries()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

bool survives(const StoreKind& kind, const Way& way, const Arguments& arguments) {
  const Experiment experiment{.kind = &kind, .options = way.options};
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  Tally tally;
  for (std::uint64_t seed = std::max<std::uint64_t>(arguments.seed, 1);; ++seed) {
    if (const auto failure = run_seed(experiment, seed, tally)) {
      fmt::print("{}", text_of(*failure, kind, way.name));
      return false;
    }
    if (arguments.seed != 0 || seconds() > arguments.seconds) break;
  }
  fmt::print("{} on {}: survived {} power cuts of {} seeds, {} distinct states, {:.0f} a second\n",
             kind.name, way.name, tally.cuts, tally.seeds, tally.distinct.size(),
             static_cast<double>(tally.distinct.size()) / seconds());
  return true;
}

int run(const Arguments& arguments) {
  const StoreKind* kind = kind_of(arguments.store);
  bool good = true;
  for (const Way& way : ways()) {
    if (!arguments.way.empty() && way.name != arguments.way) continue;
    good = survives(*kind, way, arguments) && good;
  }
  return good ? 0 : 1;
}

}  // namespace
}  // namespace pagealloc::crash

int main(int argc, char** argv) {
  using namespace pagealloc::crash;
  Arguments arguments;
  std::vector<std::string> stores = {std::string(correct().name)};
  std::vector<std::string> names;
  for (const StoreKind& kind : canaries()) stores.emplace_back(kind.name);
  for (const Way& way : ways()) names.emplace_back(way.name);
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
  app.add_option("--seconds", arguments.seconds, "For each way")->capture_default_str();
  app.add_flag("--demo", arguments.demo, "Show what a missing sync loses, in a second");
  app.footer(
      "Examples:\n"
      "  pagealloc_crash --demo\n"
      "  pagealloc_crash --seconds 60\n"
      "  pagealloc_crash --store no-sync-before-meta --way pread --seed 1");
  CLI11_PARSE(app, argc, argv);
  return arguments.demo ? demo() : run(arguments);
}
