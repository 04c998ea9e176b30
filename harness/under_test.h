// The kernel whose page files are measured: the Linux of this machine, or one in memory.
#pragma once

#include "pagealloc/os/kernel.h"

namespace pagealloc::harness {

/// Is it the Linux that runs this process? Only there are CPU time, page faults, mincore, CPUs to
/// choose from, control groups and fio.
inline bool is_host(const os::Kernel& kernel) { return &kernel == &os::linux_kernel(); }

}  // namespace pagealloc::harness
