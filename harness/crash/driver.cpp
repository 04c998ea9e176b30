#include "harness/crash/driver.h"

#include <fmt/format.h>

#include <vector>

namespace pagealloc::crash {

using os::sim::Fault;
using os::sim::Image;
using os::sim::Machine;
using os::sim::SimKernel;

namespace {

constexpr const char* store_path = "/store.pa";

/// What a seed's machine does by itself: nothing, or write-back and interruptions, or failures too.
Machine machine_of(std::uint64_t seed, Image image) {
  os::sim::Random random(seed * 3 + 1);
  Machine machine{.seed = seed, .image = std::move(image)};
  const std::uint64_t weather = random.below(4);
  if (weather >= 1)
    machine.faults.write_back_one_in = 1 + static_cast<std::uint32_t>(random.below(4));
  if (weather >= 2) {
    machine.faults[Fault::interrupted] = 10;
    machine.faults[Fault::short_transfer] = 6;
  }
  if (weather == 3) {
    machine.faults[Fault::sync_error] = 25;
    machine.faults[Fault::write_error] = 40;
    machine.faults[Fault::flush_error] = 25;
    machine.faults.revert_after_error = random.one_in(2);
  }
  return machine;
}

struct Cut {
  Image image;
  std::uint64_t acknowledged;
  std::uint64_t submitted;
  std::size_t events;  // of the trace, until then
};

class Run {
 public:
  Run(const Experiment& experiment, std::uint64_t seed, Tally& tally)
      : experiment_(experiment), seed_(seed), tally_(tally) {}

  std::optional<Failure> operator()() {
    SimKernel kernel(machine_of(seed_, {}));
    if (keep_events_) kernel.trace().keep();
    const auto store = experiment_.kind->make();
    kernel.set_cut_point([&] { cut(kernel, cuts_); });
    Options options = experiment_.options;
    options.kernel = &kernel;
    // What goes wrong on the way is the program's to survive: it stops, as it must.
    if (store->open(store_path, options)) {
      for (submitted_ = 1; submitted_ <= experiment_.commits; ++submitted_) {
        if (!store->commit(submitted_)) break;
        acknowledged_ = submitted_;
      }
      submitted_ = std::min(submitted_, experiment_.commits);
    }
    cut(kernel, cuts_);
    kernel.set_cut_point({});
    ++tally_.seeds;
    for (const Cut& cut : cuts_) {
      if (auto failure = judge(cut, 0)) {
        failure->timeline = timeline_of(kernel, cut);
        return failure;
      }
    }
    return {};
  }

  void keep_events() { keep_events_ = true; }

 private:
  void cut(SimKernel& kernel, std::vector<Cut>& into) {
    for (unsigned i = 0; i < experiment_.cuts_per_point; ++i) {
      into.push_back({kernel.cut(experiment_.tearing), acknowledged_, submitted_,
                      kernel.trace().events().size()});
    }
  }

  /// Switches a machine on that has this medium, and looks at what the store says.
  std::optional<Failure> judge(const Cut& cut, unsigned depth) {
    ++tally_.cuts;
    if (!tally_.distinct.insert(cut.image.hash() + cut.acknowledged).second) return {};
    SimKernel kernel(Machine{.seed = seed_ ^ cut.image.hash(), .image = cut.image});
    std::vector<Cut> again;
    // Recovery is a program, too: the power may go while it runs.
    if (depth < experiment_.recoveries_cut && recovery_is_cut(cut.image.hash())) {
      kernel.set_cut_point([&] {
        again.push_back({kernel.cut(experiment_.tearing), cut.acknowledged, cut.submitted, 0});
      });
    }
    const auto store = experiment_.kind->make();
    Options options = experiment_.options;
    options.kernel = &kernel;
    const char oracle = depth == 0 ? 'a' : 'e';
    if (auto opened = store->open(store_path, options); !opened) {
      return failure(cut, oracle, opened.error().text());
    }
    kernel.set_cut_point({});
    if (store->last() < cut.acknowledged || store->last() > cut.submitted) {
      return failure(cut, oracle, fmt::format("recovered commit {}", store->last()));
    }
    if (auto checked = store->check(); !checked) {
      return failure(cut, depth == 0 ? 'b' : 'e', checked.error().text());
    }
    for (const Cut& next : again) {
      if (auto found = judge(next, depth + 1)) return found;
    }
    return {};
  }

  /// One judged state in sixteen: recovery is short, and cutting all of them off would take as long
  /// as everything else together.
  static bool recovery_is_cut(std::uint64_t hash) { return hash % 16 == 0; }

  std::optional<Failure> failure(const Cut& cut, char oracle, std::string found) const {
    return Failure{.seed = seed_,
                   .oracle = oracle,
                   .acknowledged = cut.acknowledged,
                   .submitted = cut.submitted,
                   .found = std::move(found),
                   .timeline = {}};
  }

  static std::string timeline_of(SimKernel& kernel, const Cut& cut) {
    std::string text;
    for (std::size_t i = 0; i < cut.events && i < kernel.trace().events().size(); ++i) {
      const os::sim::Event& event = kernel.trace().events()[i];
      text += fmt::format("{:10.1f} us  {:<16} offset {:>6} {:>6} bytes  -> {}\n",
                          static_cast<double>(event.time_ns) / 1000, event.what, event.offset,
                          event.bytes, event.result);
    }
    return text + "              the power goes\n";
  }

  const Experiment& experiment_;
  std::uint64_t seed_;
  Tally& tally_;
  std::vector<Cut> cuts_;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t submitted_ = 0;
  bool keep_events_ = false;
};

}  // namespace

std::string text_of(const Failure& failure, const StoreKind& kind, std::string_view way) {
  return fmt::format(
      "{} on {}: oracle ({}) after seed {}\n"
      "  expected  a commit from {} (acknowledged) to {} (submitted), whole\n"
      "  found     {}\n"
      "{}"
      "  again     pagealloc_crash --store {} --way {} --seed {}\n",
      kind.name, way, failure.oracle, failure.seed, failure.acknowledged, failure.submitted,
      failure.found, failure.timeline, kind.name, way, failure.seed);
}

std::optional<Failure> run_seed(const Experiment& experiment, std::uint64_t seed, Tally& tally) {
  auto first = Run(experiment, seed, tally)();
  if (!first) return {};
  // Once more, keeping the history that a person needs. What was seen counts, whether or not it is
  // seen again.
  Tally unused;
  Run again(experiment, seed, unused);
  again.keep_events();
  auto second = again();
  if (second) return second;
  first->timeline =
      "              not seen again with the same seed: the run is not deterministic\n";
  return first;
}

}  // namespace pagealloc::crash
