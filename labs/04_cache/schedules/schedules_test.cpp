// Task 6: the whole cache under three threads, in the order that a seed thinks of.
#include <fmt/format.h>

#include <array>

#include "labs/grader/grader.h"
#include "pagealloc/cache/tests/scheduled_world.h"

namespace pagealloc::labs {

namespace {

using cache::Wrong;

constexpr std::uint64_t worlds = 3000;

struct Blame {
  const char* cause;
  const char* function;
};

Blame blame_of(Wrong::When when) {
  switch (when) {
    case Wrong::When::lent:
      return {
          "the page was evicted while it was lent: between seeing that nobody holds a frame and "
          "taking it, somebody came to hold it. What claim() answers must be what decides",
          "Cache::take_frame"};
    case Wrong::When::read:
      return {
          "an update was lost, or a page was found in a frame that was another page's by then: "
          "what was looked up before the lock says nothing under the lock",
          "Cache::put"};
    case Wrong::When::synced:
      return {
          "a sync came back although a page that it must cover was not on the medium: it was "
          "marked clean, or taken by another write-back that was still under way",
          "WriteBack::run"};
    case Wrong::When::other:
      break;
  }
  return {"an operation that the contract allows was refused", "Cache::put"};
}

void explore_all(Test& t, const std::string& impl) {
  t.expect_trouble(
      "one order of the threads broke what the cache relies on. Dirty pages (dirty_pages.h): two "
      "handles wrote back at the same time, so look at the turn in WriteBack::run. Frames "
      "(frame_table.cpp): a frame was looked up before the lock and used under it, or taken in two "
      "steps. A deadlock, or no end: a frame or the turn was never given back");
  for (std::uint64_t i = 1; i <= worlds; ++i) {
    // A world of seven has failing writes, and so on: from one run to the next they follow each
    // other.
    const std::uint64_t seed = (t.seed() - 1) * worlds + i;
    const cache::WorldOf world{.impl = impl, .seed = seed, .eviction = Eviction::clock};
    const cache::Explored explored = cache::explore(world);
    if (t.holds(!explored.wrong.has_value())) continue;
    const Blame blame = blame_of(explored.wrong->when);
    cache::WorldOf again = world;
    again.history = 24;
    const cache::Explored told = cache::explore(again);
    t.fail({.expected = fmt::format("{} (order {} of {}, on {})", explored.wrong->expected, seed,
                                    worlds, impl),
            .found = explored.wrong->found,
            .cause = blame.cause,
            .function = blame.function,
            .evidence = "the last of what the threads and the machine did:\n" + told.history});
  }
}

void schedules_on_direct(Test& t) { explore_all(t, "direct"); }
void schedules_on_uring(Test& t) { explore_all(t, "uring"); }

}  // namespace

std::span<const Exercise> exercises() {
  static constexpr std::array all = {
      Exercise{"6.1", schedules_on_direct},
      Exercise{"6.2", schedules_on_uring},
  };
  return all;
}

}  // namespace pagealloc::labs
