// The random streams of a simulated machine.
#pragma once

#include <cstdint>

#include "pagealloc/random.h"

namespace pagealloc::os::sim {

using pagealloc::Random;

/// A stream for each concern, so that one more draw in one of them changes nothing in the others.
struct Streams {
  Random schedule;    ///< how long operations take, and so in which order they end
  Random faults;      ///< which call fails, and how
  Random write_back;  ///< what the kernel writes back by itself, and when
  Random power;       ///< what is left after a power cut

  explicit Streams(std::uint64_t seed)
      : schedule(seed ^ 0x5C4ED01E),
        faults(seed ^ 0xFA17),
        write_back(seed ^ 0xBAC4),
        power(seed ^ 0x90E4) {}
};

}  // namespace pagealloc::os::sim
