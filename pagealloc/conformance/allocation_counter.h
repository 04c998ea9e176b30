// Counts heap allocations of the whole process, malloc and operator new alike.
#pragma once

#include <cstdint>

namespace pagealloc::conformance {

/// Allocations since the start of the process, by all threads.
std::uint64_t allocations();

/// While it lives, what this thread allocates is not counted: a kernel for tests keeps a log, and a
/// simulated one is made of memory.
class Uncounted {
 public:
  Uncounted();
  ~Uncounted();
  Uncounted(const Uncounted&) = delete;
  Uncounted& operator=(const Uncounted&) = delete;
};

}  // namespace pagealloc::conformance
