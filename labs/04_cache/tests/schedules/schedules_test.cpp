// Task 6: the whole cache under three threads, in the order that a seed thinks of.
#include <fmt/format.h>

#include <array>

#include "labs/04_cache/tests/any_order.h"
#include "labs/04_cache/tests/assertions.h"
#include "labs/grader/grader.h"
#include "pagealloc/cache/tests/scheduled_world.h"

namespace pagealloc::labs {

namespace {

using cache::Wrong;

constexpr std::uint64_t worlds = 4000;
constexpr std::size_t lines = 24;  // of a history

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

Blame blame_of(std::string_view assertion) {
  if (assertion == "added") {
    return {
        "two frames of one page are dirty at the same time, or two handles wrote back at once: "
        "run() needs the turn from its first look at the cache to its last",
        "WriteBack::run"};
  }
  if (assertion.find("given back twice") != std::string_view::npos) {
    return {
        "a frame was given back that nobody held: two handles wrote back at once, and the list of "
        "pages that one had taken became the other's. run() needs the turn until its last write "
        "has come back",
        "WriteBack::run"};
  }
  if (assertion.find("held(mutex_)") != std::string_view::npos) {
    const bool in_put = assertion.find("uses") != std::string_view::npos;
    return {
        "the cache was changed without its lock, while other threads change it, too: put(), "
        "take_dirty() and written() take the lock before anything else",
        in_put ? "Cache::put" : "Cache::written"};
  }
  return labs::blame_of_assertion(
      assertion, {"a frame was looked up before the lock and used under it, when it was another "
                  "page's: what was seen before the lock says nothing under the lock",
                  "Cache::put"});
}

void explore_all(Test& t, const std::string& impl) {
  t.expect_trouble(
      "one order of the threads broke what the cache relies on. Two handles may write back at the "
      "same time (the turn in WriteBack::run), or a frame was looked up before the lock and used "
      "under it (Cache::put). No end, or a deadlock: a frame or the turn was never given back");
  const std::uint64_t first = (t.seed() - 1) * worlds + 1;
  std::uint64_t seed = first;
  const auto order = [&] {
    return fmt::format("order {} of {}, on {}", seed - first + 1, worlds, engine_of(impl));
  };
  const auto evidence = [](const std::string& history) {
    return "the last of what the threads and the machine did:\n" + history;
  };
  on_assertion(t, [&](std::string_view assertion) -> Failure {
    const Blame blame = blame_of(assertion);
    return {
        .expected = fmt::format("what the cache relies on holds in every order of three threads "
                                "({})",
                                order()),
        .found = "an assertion that does not",
        .cause = blame.cause,
        .function = blame.function,
        .evidence = evidence(cache::history_now(lines))};
  });
  // They follow each other from one run of the test to the next.
  for (; seed < first + worlds; ++seed) {
    const cache::Explored explored = cache::explore({.impl = impl,
                                                     .seed = seed,
                                                     .eviction = Eviction::clock,
                                                     .history = lines,
                                                     .tight = seed % 4 != 0});
    if (t.holds(!explored.wrong.has_value())) continue;
    const Blame blame = blame_of(explored.wrong->when);
    t.fail({.expected = fmt::format("{} ({})", explored.wrong->expected, order()),
            .found = explored.wrong->found,
            .cause = blame.cause,
            .function = blame.function,
            .evidence = evidence(explored.history)});
  }
}

void schedules_on_direct(Test& t) { explore_all(t, "direct"); }
void schedules_on_any_order(Test& t) {
  order_from(t.seed());
  explore_all(t, any_order);
}

}  // namespace

std::span<const Exercise> exercises() {
  static constexpr std::array all = {
      Exercise{"6.1", schedules_on_direct},
      Exercise{"6.2", schedules_on_any_order},
  };
  return all;
}

}  // namespace pagealloc::labs
