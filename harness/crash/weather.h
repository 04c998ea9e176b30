// What goes wrong by itself on the machine of a seed.
#pragma once

#include <cstdint>

#include "harness/crash/store.h"
#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::crash {

enum class Weather : std::uint8_t {
  calm,        ///< nothing
  write_back,  ///< the kernel writes pages back when it likes
  rough,       ///< and calls are interrupted, and transfers short
  failing,     ///< and the disk fails, is full, cannot write, cannot flush
  bad_medium   ///< the disk does not fail: it loses writes, misplaces them, rots, cannot be read
};

/// What a seed's weather is; every other one has little, because failures end a run early.
Weather weather_of(std::uint64_t seed);
/// A machine in that weather. On one that runs this kind of store.
os::sim::Machine machine_of(std::uint64_t seed, Weather weather, const StoreKind& kind);

}  // namespace pagealloc::crash
