// Counts heap allocations of the whole process, malloc and operator new alike.
#pragma once

#include <cstdint>

namespace pagealloc::conformance {

/// Allocations since the start of the process, by all threads.
std::uint64_t allocations();

}  // namespace pagealloc::conformance
