// The checker: where is the power taken, what may be demanded of what is left, and who has kept it?
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "harness/crash/run.h"

namespace pagealloc::crash {

using os::sim::Image;
using os::sim::Machine;
using os::sim::SimKernel;

std::optional<Wrong> look(const StoreKind& kind, Store& store, const std::string& path,
                          const Options& options, const Bounds& bounds) {
  // LAB:BEGIN 1 look(kind, store, path, options, bounds)
  if (auto opened = store.open(path, options); !opened) {
    return Wrong{'a', opened.error().text(), false};
  }
  const std::uint64_t last = store.last();
  if (last < bounds.acknowledged || last > bounds.submitted) {
    return Wrong{'a', fmt::format("recovered commit {}", last), true};
  }
  const auto bytes = store.read();
  if (!bytes) return Wrong{'b', bytes.error().text(), false};
  if (*bytes == (last == 0 ? std::vector<std::byte>() : kind.contents(last))) return {};
  return Wrong{
      'b', fmt::format("commit {} never wrote the {} bytes that were read", last, bytes->size()),
      true};
  // LAB:END
}

void Run::cut(Life& life) {
  // LAB:BEGIN 2 Run::cut(life)
  const unsigned cuts = life.kernel.everything_durable() ? 1 : cuts_per_point;
  for (unsigned i = 0; i < cuts; ++i) {
    std::vector<os::sim::Fate> fates;
    Image image = life.kernel.cut(experiment_.tearing, keeps_timeline_ ? &fates : nullptr);
    const std::uint64_t hash = image.hash();
    if (!is_new(hash, life.bounds)) continue;
    keep(life, {.bounds = life.bounds, .image = std::move(image), .hash = hash}, fates);
  }
  // LAB:END
  sometimes(life);
}

std::optional<Wrong> Run::live(Life& life, std::uint64_t commits) {
  begin(life, commits > 0);
  auto store = experiment_.kind->make();
  std::optional<Wrong> wrong;
  // LAB:BEGIN 3 Run::live(life, commits, store)
  Bounds& bounds = life.bounds;
  wrong = look_on(life.kernel, *store, bounds);
  // Who has read it relies on it: from now on it must stay.
  bounds = {store->last(), store->last()};
  for (; !wrong && commits > 0; --commits) {
    note(life.kernel, "commit", ++bounds.submitted);
    if (auto done = store->commit(bounds.submitted); !done) {
      wrong = {'a', done.error().text(), false};
      life.stopped = true;
      break;
    }
    note(life.kernel, "acknowledged", bounds.acknowledged = bounds.submitted);
  }
  // LAB:END
  end(life, std::move(store));
  return wrong;
}

std::optional<Failure> Run::judge(Left& left, unsigned depth, std::vector<Left>& later) {
  const bool again = depth < depth_max && left.hash % 64 == 0 && weather_ != Weather::bad_medium;
  const Weather weather = again ? Weather::rough : Weather::calm;
  Machine machine = machine_of(seed_ ^ left.hash, weather, *experiment_.kind);
  // LAB:BEGIN 4 Run::judge(left, later, machine)
  machine.image = std::move(left.image);
  SimKernel kernel(std::move(machine));
  Life life{kernel, left.bounds, depth + 1, left.timeline};
  const auto wrong = live(life, again ? commits_later : 0);
  if (weather_ == Weather::bad_medium) {
    // An error is the right answer, and so is a commit that was made. Wrong bytes are not.
    if (!wrong || !wrong->served) return {};
    return failure(left, 'g', *wrong);
  }
  if (wrong) {
    const char by_depth = depth == 0 ? wrong->oracle : 'e';
    return failure(left, left.oracle != 0 ? left.oracle : by_depth, *wrong);
  }
  tally_.recoveries_cut += again ? 1 : 0;
  std::ranges::move(life.left, std::back_inserter(later));
  return {};
  // LAB:END
}

std::optional<Failure> Run::judge_survivor(Left& left) {
  const auto store = experiment_.kind->make();
  // LAB:BEGIN 5 Run::judge_survivor(left, store)
  if (auto wrong = look_on(*left.machine, *store, left.bounds)) {
    // That a page could not be written back is told whoever syncs next: refusing is right.
    if (weather_ == Weather::failing && !wrong->served) return {};
    return failure(left, 'i', *wrong);
  }
  const Bounds shown{store->last(), left.bounds.submitted};
  for (unsigned i = 0; i < cuts_per_point; ++i) {
    Left after = cut_after(left, shown);
    std::vector<Left> none;
    if (auto failed = judge(after, depth_max, none)) return failed;
  }
  return {};
  // LAB:END
}

}  // namespace pagealloc::crash
