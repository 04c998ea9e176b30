// Which CPU a measurement runs on.
#pragma once

#include <sched.h>

#include <cstdint>
#include <expected>
#include <map>
#include <string>

#include "harness/scratch.h"

namespace pagealloc::harness {

/// Keeps the calling thread, and those it starts meanwhile, on one CPU for as long as it lives.
class Pinned {
 public:
  static std::expected<Pinned, std::string> to(std::size_t cpu);
  Pinned(Pinned&& other) noexcept;
  Pinned& operator=(Pinned&&) = delete;
  ~Pinned();

 private:
  explicit Pinned(const cpu_set_t& home) : home_(home), pinned_(true) {}
  cpu_set_t home_;  // where the thread was allowed before
  bool pinned_;     // false: moved from
};

using ReadsPerSecond = std::map<std::size_t, double>;  // by CPU

/// Reads of single pages past the page cache, one in flight, from each CPU that this process may
/// use: the best of a few short runs, two seconds in all, so that a slow disk may leave some CPUs
/// out (its own time then hides the difference). A disk with one queue sends its interrupts to one
/// CPU, and a reader anywhere else waits for a second one: on a virtual disk, a third fewer reads.
/// The error says why that cannot be measured.
std::expected<ReadsPerSecond, std::string> reads_per_second_by_cpu(const Scratch& file,
                                                                   std::uint32_t page_bytes);

}  // namespace pagealloc::harness
