// A run for people: what was asked of the kernel, what it answered, what was durable, and what the
// power cut left.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::crash {

/// The history of a machine so far, a line for each event; its trace must have been kept.
std::string timeline_of(os::sim::SimKernel& kernel);
/// What became of each change that was not durable when the power went.
std::string text_of(std::span<const os::sim::Fate> fates);

}  // namespace pagealloc::crash
