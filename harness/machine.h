// What was measured on: the facts without which no figure means anything.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::harness {

/// Processor, memory, kernel, distribution, and the file system and device under `directory`.
/// A fact that cannot be found out is null.
nlohmann::json machine_facts(const std::string& directory);

/// The same of a simulated machine: its device and its seed, for nothing of this computer matters.
nlohmann::json machine_facts(const os::sim::Machine& machine);

/// What the kernel reads ahead at a time, at most, on the device that has `path`. Where no device
/// is behind it whose queue tells, 4 MiB: what btrfs takes, more than other file systems do.
std::uint64_t read_ahead_bytes(const std::string& path);

/// TLB shootdown interrupts of all processors since boot; -1 where the kernel does not count them.
std::int64_t tlb_shootdowns();

/// Bytes free for a new file in `directory`, and memory that could be had; 0 when unknown.
std::uint64_t disk_free_bytes(const std::string& directory);
std::uint64_t memory_available_bytes();

}  // namespace pagealloc::harness
