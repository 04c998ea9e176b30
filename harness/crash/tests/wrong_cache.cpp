// Is a cache with a mistake caught? usage: wrong_NAME PATCH, whose head says what must be found.
#include <fmt/format.h>

#include <map>
#include <string>

#include "harness/crash/canaries.h"
#include "harness/crash/driver.h"
#include "pagealloc/tests/patch_head.h"
#include "pagealloc/ways.h"

namespace pagealloc::crash {
namespace {

bool caught(const Way& way, const std::map<std::string, std::string>& head) {
  const StoreKind& store = correct_on_two_handles();
  const Experiment experiment{.kind = &store, .options = way.options};
  const std::uint64_t seeds_max = std::stoull(head.at("seeds"));
  Tally tally;
  std::optional<Failure> failure;
  while (!failure && tally.seeds < seeds_max) {
    failure = run_seed(experiment, tally.seeds + 1, tally);
  }
  if (!failure) {
    fmt::print("{}: survived {} seeds: {}\n", way.name, seeds_max, head.at("mistake"));
    return false;
  }
  const bool by_right_oracle = head.at("oracles").contains(failure->oracle);
  fmt::print("{}: {}: caught by seed {}, oracle ({}){}: {}\n", way.name, head.at("mistake"),
             tally.seeds, failure->oracle, by_right_oracle ? "" : ", which should not",
             failure->found);
  return by_right_oracle;
}

}  // namespace
}  // namespace pagealloc::crash

int main(int argc, char** argv) {
  using namespace pagealloc::crash;
  if (argc != 2) return 2;
  const auto head = pagealloc::head_of_patch(argv[1]);
  bool all = true;
  for (const pagealloc::Way& way : pagealloc::ways()) {
    if (way.options.cache.bytes != 0) all = caught(way, head) && all;
  }
  return all ? 0 : 1;
}
