// What command lines call a kernel: "linux", "sim:nvme", "sim:nvme:7".
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::os::sim {

/// The machine that "sim:MODEL" or "sim:MODEL:SEED" names, its medium empty; none for "linux". The
/// error is one line that lists the names.
std::expected<std::optional<Machine>, std::string> machine_of(std::string_view name);

/// "linux, sim:hdd, sim:sata, sim:nvme or sim:object; a seed may follow, as in sim:nvme:7".
std::string machine_names();

}  // namespace pagealloc::os::sim
