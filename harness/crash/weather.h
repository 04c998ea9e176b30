// What goes wrong by itself on the machine of a seed.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "harness/crash/store.h"
#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::crash {

enum class Weather : std::uint8_t {
  calm,        ///< nothing
  write_back,  ///< the kernel writes pages back when it likes
  rough,       ///< and calls are interrupted, and transfers short
  failing,     ///< and the disk fails, is full, cannot write, cannot flush
  bad_medium,  ///< the disk does not fail: it loses writes, misplaces them, rots, cannot be read
  lying  ///< the disk says that it has flushed and has not; no seed draws it, none can survive
};

/// All their names, in that order.
inline constexpr std::array weather_names = {"calm",    "write-back", "rough",
                                             "failing", "bad-medium", "lying"};
inline std::string_view name_of(Weather weather) {
  return weather_names[static_cast<std::size_t>(weather)];
}
/// What a seed's weather is; every other one has little, because failures end a run early.
Weather weather_of(std::uint64_t seed);
/// How many acknowledged commits it may take without a trace, by damage to meta pages: they look as
/// if they had never been finished.
std::uint64_t silent_losses(const os::sim::Machine& machine);
/// A machine in that weather. On one that runs this kind of store.
os::sim::Machine machine_of(std::uint64_t seed, Weather weather, const StoreKind& kind);

}  // namespace pagealloc::crash
