#include "harness/crash/weather.h"

namespace pagealloc::crash {

using os::sim::Fault;
using os::sim::Machine;
using os::sim::Random;

namespace {

/// One kind of damage a seed, so that what finds it is known. Writes are misplaced often: two pages
/// must have changed places before each looks like the other.
void damage(os::sim::FaultRates& faults, Random& random) {
  switch (random.below(4)) {
    case 0:
      faults[Fault::lost_write] = 8;
      break;
    case 1:
      faults[Fault::misdirected] = 3;
      break;
    case 2:
      faults[Fault::rot] = 40;
      break;
    default:
      faults[Fault::unreadable] = 24;
  }
}

}  // namespace

Weather weather_of(std::uint64_t seed) {
  constexpr Weather drawn[] = {Weather::calm,    Weather::write_back, Weather::write_back,
                               Weather::rough,   Weather::rough,      Weather::failing,
                               Weather::failing, Weather::bad_medium};
  return drawn[Random(seed * 3 + 1).below(std::size(drawn))];
}

std::uint64_t silent_losses(const Machine& machine) {
  const os::sim::FaultRates& faults = machine.faults;
  if (faults[Fault::lost_write] + faults[Fault::misdirected] > 0) return UINT64_MAX;
  return faults[Fault::rot] > 0 ? 1 : 0;
}

Machine machine_of(std::uint64_t seed, Weather weather, const StoreKind& kind) {
  Random random(seed * 3 + 2);
  Machine machine{.seed = seed};
  os::sim::FaultRates& faults = machine.faults;
  faults.short_looks_whole = kind.takes_short_for_whole;
  if (weather == Weather::calm) return machine;
  faults.write_back_one_in = 1 + static_cast<std::uint32_t>(random.below(4));
  if (weather == Weather::bad_medium) damage(faults, random);
  if (weather == Weather::lying) faults[Fault::lying_flush] = 2;
  if (weather != Weather::rough && weather != Weather::failing) return machine;
  faults[Fault::interrupted] = 10;
  faults[Fault::short_transfer] = 6;
  if (weather == Weather::rough) return machine;
  faults[Fault::sync_error] = 25;
  faults[Fault::write_error] = 40;
  faults[Fault::flush_error] = 12;
  faults[Fault::read_error] = 60;
  faults[Fault::disk_full] = 25;
  faults.revert_after_error = random.one_in(2);
  return machine;
}

}  // namespace pagealloc::crash
