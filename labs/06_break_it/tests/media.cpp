#include "labs/06_break_it/tests/media.h"

#include <fmt/format.h>

namespace pagealloc::labs {

using crash::Bounds;
using Condemned = crash::Failure;
using crash::Left;
using os::sim::Image;
using os::sim::SimKernel;

std::unique_ptr<SimKernel> machine_with(std::uint64_t seed, std::uint64_t commits) {
  auto kernel = std::make_unique<SimKernel>(os::sim::Machine{.seed = seed});
  kernel->trace().keep();
  Options options;
  options.impl = "pread";
  options.kernel = kernel.get();
  crash::set_plan({});
  const auto store = crash::protocol(0).make();
  bool good = store->open(crash::store_path, options).has_value();
  for (std::uint64_t number = 1; number <= commits && good; ++number) {
    good = store->commit(number).has_value();
  }
  return good ? std::move(kernel) : nullptr;
}

Image medium_with(std::uint64_t seed, std::uint64_t commits) {
  return machine_with(seed, commits)->cut(os::sim::Tearing::none);
}

void damage_data_of(Image& image, std::uint64_t commit) {
  constexpr std::size_t page_bytes = 4096;
  const std::size_t page = 2 + commit % 2 * 2;  // as in two_page.h
  image.files.at(crash::store_path).bytes.at(page * page_bytes + 1000) ^= std::byte{1};
}

Judging::Judging(const crash::StoreKind& store, std::uint64_t seed, crash::Weather weather)
    : kind(store),
      experiment{.kind = &kind, .weather = weather},
      run(experiment, seed, tally, true) {
  experiment.options.impl = "pread";
}

std::optional<Condemned> Judging::judge(Image image, Bounds bounds, unsigned depth, char oracle) {
  Left left{.bounds = bounds, .oracle = oracle, .timeline = "==== the medium of this test\n"};
  left.hash = image.hash() | 1;
  left.image = std::move(image);
  return run.judge(left, depth, later);
}

void expect_lock(Test& t) {
  t.expect_trouble(
      "if it waits: cut() is called from inside a call of the simulated machine, which holds its "
      "lock. What asks the machine for more there than cut() and everything_durable() waits for "
      "ever: a call of a file, calls(), now_ns(), and note(), which asks for the time. Else: a "
      "loop "
      "without an end, or something that is used after its life has ended");
}

std::uint64_t seed_without_silent_losses(Test& t) {
  const crash::StoreKind kind = crash::protocol(0);
  std::uint64_t seed = t.other_seed();
  while (crash::silent_losses(crash::machine_of(seed, crash::Weather::bad_medium, kind)) != 0)
    ++seed;
  return seed;
}

std::string text_of(const std::optional<Condemned>& failure) {
  if (!failure) return "nothing is wrong";
  return fmt::format("oracle ({}), \"{}\"; {}", failure->oracle, failure->found,
                     text_of(Bounds{failure->acknowledged, failure->submitted}));
}

}  // namespace pagealloc::labs
