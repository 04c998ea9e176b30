// The checker: where is the power taken, what may be demanded of what is left, and who has kept it?
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "harness/crash/run.h"
#include "labs/not_started.h"

namespace pagealloc::crash {

using os::sim::Image;
using os::sim::Machine;
using os::sim::SimKernel;

std::optional<Wrong> look(const StoreKind& kind, Store& store, const std::string& path,
                          const Options& options, const Bounds& bounds) {
  // Task 1.
  labs::not_started("look", kind, store, path, options, bounds);
}

void Run::cut(Life& life) {
  // Task 2.
  labs::not_started("Run::cut", life);
  sometimes(life);
}

std::optional<Wrong> Run::live(Life& life, std::uint64_t commits) {
  begin(life, commits > 0);
  auto store = experiment_.kind->make();
  std::optional<Wrong> wrong;
  // Task 3.
  labs::not_started("Run::live", life, commits, store);
  end(life, std::move(store));
  return wrong;
}

std::optional<Failure> Run::judge(Left& left, unsigned depth, std::vector<Left>& later) {
  const bool again = depth < depth_max && left.hash % 64 == 0 && weather_ != Weather::bad_medium;
  const Weather weather = again ? Weather::rough : Weather::calm;
  Machine machine = machine_of(seed_ ^ left.hash, weather, *experiment_.kind);
  // Task 4.
  labs::not_started("Run::judge", left, later, machine);
}

std::optional<Failure> Run::judge_survivor(Left& left) {
  const auto store = experiment_.kind->make();
  // Task 5.
  labs::not_started("Run::judge_survivor", left, store);
}

}  // namespace pagealloc::crash
