// --kernel: a command runs on Linux, or on a machine in memory into which its file is copied.
#pragma once

#include <functional>
#include <string>

#include "pagealloc/error.h"
#include "pagealloc/os/kernel.h"

namespace CLI {
class App;
}  // namespace CLI

namespace pagealloc::cli {

/// Exit codes, as `pagealloc --help` documents them.
enum class Exit : int {
  ok = 0,
  usage = 1,          ///< the command line cannot be understood
  refused = 2,        ///< input that no retry will make right; nothing was changed
  cannot_open = 3,    ///< missing, no permission, read-only, exists already
  not_available = 4,  ///< this machine, kernel or file system does not offer it
  io = 5,             ///< a read, write or sync failed, or the file was truncated underneath
  disk_full = 6,
  damaged = 7,
};

/// The kernel that the command runs on; every call that a command makes goes through it.
os::Kernel& kernel();

/// Adds --kernel and --power-cut.
void add_kernel(CLI::App& app);

/// Runs a command on the kernel that was chosen. Into a simulated machine the file is copied before
/// and out of it afterwards, when the machine has been shut down or has lost its power.
Exit run_on_kernel(const std::string& path, const std::function<Result<void>()>& command);

}  // namespace pagealloc::cli
