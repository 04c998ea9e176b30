#include "harness/crash/driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "harness/crash/run.h"
#include "harness/crash/timeline.h"
#include "harness/crash/weather.h"

namespace pagealloc::crash {

using os::sim::Image;
using os::sim::Machine;
using os::sim::SimKernel;

namespace {

/// What is left of one history has about the same size everywhere.
bool is_too_much(const std::vector<Left>& all) {
  constexpr std::uint64_t bytes_max = 256U << 20;
  if (all.empty()) return false;
  const Left& last = all.back();
  return all.size() * (last.image.bytes() + last.timeline.size()) > bytes_max;
}

}  // namespace

Run::Run(const Experiment& experiment, std::uint64_t seed, Tally& tally, bool keeps_timeline)
    : experiment_(experiment),
      seed_(seed),
      tally_(tally),
      keeps_timeline_(keeps_timeline),
      weather_(experiment.weather.value_or(weather_of(seed))),
      silent_losses_(silent_losses(machine_of(seed, weather_, *experiment.kind))),
      sample_(seed) {}

std::optional<Failure> Run::all() {
  ++tally_.seeds;
  SimKernel kernel(machine_of(seed_, weather_, *experiment_.kind));
  Life life{.kernel = kernel};
  first_ = &life;
  const auto wrong = live(life, experiment_.commits);
  first_ = nullptr;
  if (failed_) return failed_;
  // Where the disk fails the program stops, as it must. Elsewhere it has no reason to.
  const bool may_stop = weather_ == Weather::failing || weather_ == Weather::bad_medium;
  if (wrong && !may_stop) {
    return failure({.bounds = life.bounds, .timeline = history(life, "")}, 'a', *wrong);
  }
  for (std::size_t i = 0; i < os::sim::fault_kinds; ++i) {
    tally_.faults.count[i] += kernel.fault_log().count[i];
  }
  tally_.faults.write_backs += kernel.fault_log().write_backs;
  std::ranges::move(torn_, std::back_inserter(life.left));
  return judge_all(std::move(life.left), 0);
}

// --- A life -------------------------------------------------------------------------------------

void Run::begin(Life& life, bool is_cut) {
  if (keeps_timeline_) life.kernel.trace().keep();
  life.is_cut = is_cut;
  if (is_cut) life.kernel.set_cut_point([&] { cut(life); });
}

void Run::end(Life& life, std::unique_ptr<Store> store) {
  if (life.is_cut && is_first(life)) die(life);
  store.reset();
  life.kernel.set_cut_point({});
  if (life.is_cut) cut(life);
}

std::optional<Wrong> Run::look_on(SimKernel& kernel, Store& store, Bounds bounds) const {
  Options options = experiment_.options;
  options.kernel = &kernel;
  // Small, because a machine is switched on for each medium; to unmap the usual 64 GiB costs more
  // than all else.
  options.depth = 4;
  options.frames = 8;
  if (options.impl == "mmap") options.map_reserve_bytes = 1U << 20;
  if (options.cache.bytes != 0) {
    // In few frames what is staged drives out what was read; with 16 it is read ahead.
    constexpr std::array frames = {6U, 8U, 6U, 16U};
    options.frames = 2;
    options.cache.bytes = frames[seed_ % frames.size()] * std::uint64_t{options.page_bytes};
  }
  bounds.acknowledged -= std::min(bounds.acknowledged, silent_losses_);
  return look(*experiment_.kind, store, store_path, options, bounds);
}

void Run::note(SimKernel& kernel, const char* what, std::uint64_t number) {
  const std::uint64_t now_ns = kernel.now_ns();
  kernel.trace().note({now_ns, now_ns, what, 0, number, 0, 0});
  if (first_ != nullptr && &kernel == &first_->kernel) judge_some();
}

// --- What may be left ---------------------------------------------------------------------------

void Run::keep(Life& life, Left left, std::span<const os::sim::Fate> fates) {
  if (keeps_timeline_) {
    left.timeline = history(life, text_of(fates));
    if (weather_ == Weather::bad_medium) {
      left.timeline += fmt::format(
          "{:>15}  and no line shows what the bad medium has lost, misplaced or damaged\n", "");
    }
  }
  life.left.push_back(std::move(left));
}

void Run::sometimes(Life& life) {
  constexpr std::uint64_t death_one_in = 24;
  if (is_first(life) && sample_.one_in(death_one_in)) die(life);
  constexpr std::uint64_t tears_seed_one_in = 32;  // after the first nearly all are known
  if (is_first(life) && seed_ % tears_seed_one_in == 0) tear(life);
}

Left Run::cut_after(Left& survivor, Bounds shown) const {
  Left after{.bounds = shown, .oracle = 'i'};
  after.image = survivor.machine->cut(experiment_.tearing);
  after.hash = 1;  // not to be cut again
  if (keeps_timeline_) {
    after.timeline = survivor.timeline + fmt::format(
                                             "==== a new process reads commit {}\n"
                                             "==== the power goes\n",
                                             shown.acknowledged);
  }
  return after;
}

/// Of the first life only: each of those that follow would have as many again.
bool Run::is_first(const Life& life) const {
  return weather_ != Weather::bad_medium && life.depth == 0;
}

std::string Run::history(const Life& life, std::string_view end) {
  return life.timeline + timeline_of(life.kernel) + std::string(end);
}

bool Run::is_new(std::uint64_t hash, const Bounds& bounds) {
  ++tally_.cuts;
  if (weather_ == Weather::bad_medium) return ++tally_.damaged, true;
  return tally_.distinct.insert(hash + bounds.acknowledged).second;
}

void Run::die(Life& life) {
  // Between a failed sync and the handling of it a dead process leaves bytes in the page cache
  // that no later one can tell from durable ones (docs/durability.md).
  if (life.kernel.serves_what_was_lost() && !life.stopped) return;
  ++tally_.deaths;
  Left survivor{.bounds = life.bounds, .oracle = 'i'};
  Machine machine = machine_of(sample_.next(), Weather::calm, *experiment_.kind);
  survivor.machine = std::make_unique<SimKernel>(std::move(machine), life.kernel);
  if (keeps_timeline_) survivor.timeline = history(life, "==== the process dies\n");
  life.left.push_back(std::move(survivor));
}

void Run::tear(Life& life) {
  life.kernel.enumerate_tears([&](const Image& image) {
    const std::uint64_t one_in = experiment_.kind->torn_one_in;
    if (one_in > 1 && !sample_.one_in(one_in)) return;
    const std::uint64_t hash = image.hash();
    if (!is_new(hash, life.bounds)) return;
    ++tally_.torn_words;
    torn_.push_back({.bounds = life.bounds, .image = image, .hash = hash, .oracle = 'd'});
    if (!keeps_timeline_) return;
    torn_.back().timeline = history(life, "==== the power goes; of one write a part arrives\n");
  });
}

// --- Judging it ---------------------------------------------------------------------------------

void Run::judge_some() {
  if (failed_ || !is_too_much(first_->left)) return;
  auto all = std::exchange(first_->left, {});
  std::ranges::move(std::exchange(torn_, {}), std::back_inserter(all));
  failed_ = judge_all(std::move(all), 0);
}

/// First what the first life left, then what those after it did: the shorter history comes first.
/// Where they leave more than can be kept, they are not waited for.
std::optional<Failure> Run::judge_all(std::vector<Left> all, unsigned depth) {
  std::vector<Left> later;
  for (Left& left : all) {
    auto failure = left.machine != nullptr ? judge_survivor(left) : judge(left, depth, later);
    if (failure) return failure;
    left = {};  // thousands of them have to be somewhere
    if (!is_too_much(later)) continue;
    if (auto failed = judge_all(std::exchange(later, {}), depth + 1)) return failed;
  }
  return later.empty() ? std::nullopt : judge_all(std::move(later), depth + 1);
}

Failure Run::failure(const Left& left, char oracle, const Wrong& wrong) const {
  return {.seed = seed_,
          .commits = experiment_.commits,
          .weather = experiment_.weather,
          .oracle = oracle,
          .acknowledged = left.bounds.acknowledged,
          .submitted = left.bounds.submitted,
          .found = wrong.found,
          .timeline = left.timeline};
}

std::string text_of(const Failure& failure, const StoreKind& kind, std::string_view way) {
  std::string text =
      fmt::format("{} on {}: oracle ({}), seed {}\n", kind.name, way, failure.oracle, failure.seed);
  if (!kind.mistake.empty()) text += fmt::format("  mistake   {}\n", kind.mistake);
  return text + fmt::format(
                    "  expected  a commit from {} (acknowledged) to {} (submitted), with the bytes "
                    "it wrote\n"
                    "  found     {}\n"
                    "{}"
                    "  again     ./lab crash --store {} --way {} --seed {} --commits {}{}\n",
                    failure.acknowledged, failure.submitted, failure.found, failure.timeline,
                    kind.name, way, failure.seed, failure.commits,
                    failure.weather ? fmt::format(" --weather {}", name_of(*failure.weather)) : "");
}

std::optional<Failure> run_seed(const Experiment& experiment, std::uint64_t seed, Tally& tally) {
  return Run(experiment, seed, tally, false).all();
}

Failure shortest(const Experiment& experiment, const Failure& failure) {
  const auto try_with = [&](std::uint64_t seed, std::uint64_t commits,
                            std::optional<Weather> weather, bool told) {
    Experiment smaller = experiment;
    smaller.commits = commits;
    smaller.weather = weather;
    Tally unused;
    return Run(smaller, seed, unused, told).all();
  };
  constexpr std::uint64_t seeds_tried = 10;
  for (std::uint64_t commits = 1; commits < failure.commits; ++commits) {
    for (const auto weather : {std::optional(Weather::calm), failure.weather}) {
      for (std::uint64_t i = 0; i <= seeds_tried; ++i) {
        const std::uint64_t seed = i == 0 ? failure.seed : i;
        const auto found = try_with(seed, commits, weather, false);
        if (!found || found->oracle != failure.oracle) continue;
        // Once more, keeping the history; without it the search takes a tenth of the time.
        if (auto told = try_with(seed, commits, weather, true)) return *told;
      }
    }
  }
  // What was seen counts, whether or not it is seen again.
  if (auto same = try_with(failure.seed, failure.commits, failure.weather, true)) {
    return *same;
  }
  Failure strange = failure;
  strange.timeline = "  not seen again with the same seed: the run is not deterministic\n";
  return strange;
}

}  // namespace pagealloc::crash
