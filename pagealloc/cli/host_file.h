// The way of a file from the host into the simulated machine, and back out of it.
#pragma once

#include <optional>
#include <string>

#include "pagealloc/error.h"
#include "pagealloc/os/sim/image.h"

namespace pagealloc::cli {

/// A medium that has `path` as the host has it, and the directories it lies in. What is no regular
/// file is there as what it is, so that the command refuses it in its usual words.
Result<os::sim::Image> image_of_host(const std::string& path);

/// The same bytes, and holes in the same places?
bool same_content(const os::sim::FileImage& a, const os::sim::FileImage& b);

/// Makes the host's file `after`, where that differs from `before`. A new file is complete and
/// durable before it takes the place of the old one, so a failure leaves the old one.
Result<void> put_on_host(const std::string& path, const std::optional<os::sim::FileImage>& before,
                         const std::optional<os::sim::FileImage>& after);

}  // namespace pagealloc::cli
