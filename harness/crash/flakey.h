// What a test on a device with two tables may demand: in one of them all is well, in the other one
// writes are dropped and said to be written. dm-flakey is such a device.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "harness/crash/oracle.h"

namespace pagealloc::crash {

/// What such a test has noted. The order of the notes is the order in which it happened.
struct DeviceNote {
  enum class What : std::uint8_t {
    submitted,           ///< the store begins commit `commit`
    acknowledged,        ///< it has said that `commit` is done
    drops_begin,         ///< from now on writes are dropped
    drops_end,           ///< and from now on kept again
    killed,              ///< the process
    unmounted,           ///< the file system: nothing of this run is written after it
    file_system_synced,  ///< by the test itself: a suspend without --nolockfs does that
  };
  What what;
  std::uint64_t commit = 0;
};

/// What a verdict may demand of the medium. Nothing: what is found there says nothing about the
/// store, because this was no power cut, or because the test has done the store's work.
std::optional<Bounds> bounds_of(std::span<const DeviceNote> notes);

}  // namespace pagealloc::crash
