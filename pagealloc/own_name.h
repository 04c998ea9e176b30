// Which directory entry is a file's own.
#pragma once

#include <filesystem>

#include "pagealloc/os/kernel.h"

namespace pagealloc {

/// The file's own name: a symbolic link that leads to it is somebody else's entry. A path that
/// leads nowhere comes back as far as it could be followed. Thread safe.
std::filesystem::path own_name(os::Kernel& kernel, std::filesystem::path path);

}  // namespace pagealloc
