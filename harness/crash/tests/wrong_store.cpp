// Is a cache or an allocator with a mistake caught? usage: wrong_NAME PATCH, whose head says what
// must be found.
#include <fmt/format.h>

#include <map>
#include <string>

#include "harness/crash/canaries.h"
#include "harness/crash/driver.h"
#include "pagealloc/tests/patch_head.h"
#include "pagealloc/ways.h"

namespace pagealloc::crash {
namespace {

using Head = std::map<std::string, std::string>;

/// Handles of one file share its cache above all; an allocator has one handle.
bool is_about_allocator(const Head& head) { return head.contains("store"); }

bool matters(const Way& way, const Head& head) {
  if (!is_about_allocator(head)) return way.options.cache.bytes != 0;
  return way.name == way.options.impl;  // the four implementations, as they are
}

bool caught(const Way& way, const Head& head) {
  const StoreKind& store =
      is_about_allocator(head) ? correct_allocator() : correct_on_two_handles();
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
    if (matters(way, head)) all = caught(way, head) && all;
  }
  return all ? 0 : 1;
}
