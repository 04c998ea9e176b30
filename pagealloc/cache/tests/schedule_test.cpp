// The cache in every order of threads that a seed can think of (scheduled_world.h). Usage:
// schedule_test SCHEDULES, or schedule_test PATCH, whose mistake must be found.
#include <fmt/format.h>

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string>
#include <unordered_set>

#include "pagealloc/cache/tests/scheduled_world.h"
#include "pagealloc/tests/patch_head.h"

namespace pagealloc::cache {

namespace {

std::uint64_t seed_now = 0;  // for who dies on the way

struct Tried {
  std::uint64_t seeds = 0;
  std::uint64_t poisoned = 0;
  std::unordered_set<std::uint64_t> schedules;
  std::optional<std::string> failure;
};

/// Until something is found, or so many different schedules or seeds have been tried.
Tried try_seeds(const std::string& impl, std::uint64_t schedules, std::uint64_t seeds) {
  Tried tried;
  while (!tried.failure && tried.schedules.size() < schedules && tried.seeds < seeds) {
    seed_now = ++tried.seeds;
    const Explored world = explore({.impl = impl, .seed = seed_now});
    if (world.wrong) {
      tried.failure = fmt::format("{}: {}", world.wrong->expected, world.wrong->found);
    }
    tried.schedules.insert(world.schedule);
    tried.poisoned += world.poisoned ? 1U : 0U;
  }
  return tried;
}

/// Empty: nothing.
std::string what_is_wrong(const Tried& tried, std::uint64_t schedules) {
  if (tried.failure) return fmt::format("seed {}: {}", seed_now, *tried.failure);
  if (tried.schedules.size() < schedules) return "too few of them differ";
  if (tried.poisoned == 0) return "no write failed in any of them; try more";
  return {};
}

int explore_all(std::uint64_t schedules) {
  bool good = true;
  for (const std::string impl : {"direct", "uring"}) {
    const Tried tried = try_seeds(impl, schedules, 2 * schedules);
    const std::string wrong = what_is_wrong(tried, schedules);
    good = good && wrong.empty();
    fmt::print("{}: {} different schedules of {} seeds, {} with failed writes: {}\n", impl,
               tried.schedules.size(), tried.seeds, tried.poisoned,
               wrong.empty() ? "all good" : "FAILED: " + wrong);
  }
  return good ? 0 : 1;
}

bool mistake_wanted = false;

int find_mistake(const char* patch) {
  mistake_wanted = true;
  const auto head = head_of_patch(patch);
  bool caught = true;
  for (const std::string impl : {"direct", "uring"}) {
    const std::uint64_t seeds = std::stoull(head.at("seeds"));
    const Tried tried = try_seeds(impl, UINT64_MAX, seeds);
    caught = caught && tried.failure.has_value();
    fmt::print("{}: {}: {}\n", impl, head.at("mistake"),
               tried.failure ? fmt::format("caught by seed {}: {}", seed_now, *tried.failure)
                             : fmt::format("survived {} seeds", seeds));
  }
  return caught ? 0 : 1;
}

/// An assertion, or a deadlock, finds a mistake too. No way back: other fibers' frames lie below.
void on_abort(int) {
  fmt::print(stderr, "schedule_test: {} by seed {}\n", mistake_wanted ? "caught" : "ended",
             seed_now);
  if (mistake_wanted) std::_Exit(0);
}

}  // namespace
}  // namespace pagealloc::cache

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::signal(SIGABRT, pagealloc::cache::on_abort);
  const std::string_view what = argv[1];
  std::uint64_t schedules = 0;
  const auto [end, error] = std::from_chars(what.data(), what.data() + what.size(), schedules);
  if (error == std::errc() && end == what.data() + what.size()) {
    return pagealloc::cache::explore_all(schedules);
  }
  return pagealloc::cache::find_mistake(argv[1]);
}
