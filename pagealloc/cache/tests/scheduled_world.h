// Three threads on one small cache, in an order that a seed thinks of.
//
// The threads are fibers of the simulated machine, and they change places not only where they enter
// the kernel but between any two steps that take no lock, and inside of the lock
// (cache/schedule.h). So a frame is evicted, lent, replaced and written back while somebody is
// halfway through finding it. What was written must be read, what is lent must not change, and what
// was synced must be on the medium. In some worlds writes fail: then what is read must be a page
// that was written, whole, and not older than what was synced.
//
// Whoever includes this compiles the cache with PAGEALLOC_CACHE_SCHEDULED.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pagealloc/options.h"

namespace pagealloc::cache {

/// The first thing that was wrong in a world.
struct Wrong {
  enum class When : std::uint8_t {
    read,    ///< what was read is not what was written
    lent,    ///< bytes changed while they were lent
    synced,  ///< what was made durable is not on the medium
    other,   ///< an operation failed
  };
  When when;
  std::string expected;
  std::string found;
};

struct Explored {
  std::optional<Wrong> wrong;
  std::uint64_t schedule = 0;  ///< equal for equal schedules
  bool poisoned = false;       ///< a write has failed
  std::string history = {};    ///< the last of what happened, where it was asked for
};

struct WorldOf {
  std::string impl;
  std::uint64_t seed;
  std::optional<Eviction> eviction = std::nullopt;  ///< nullopt: the seed's
  std::size_t history = 0;                          ///< lines
  bool tight = false;  ///< never room for all: the smallest cache, more pages, neighbours read too
};

/// One machine, one file, three handles, and what the file must hold: from the start to the end.
/// An assertion or a deadlock ends the process.
Explored explore(const WorldOf& world);

/// For who is told of an assertion: the last of what has happened in the world that is being
/// explored with a history.
std::string history_now(std::size_t lines);

}  // namespace pagealloc::cache
