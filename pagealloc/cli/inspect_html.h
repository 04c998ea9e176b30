// A structured file as one page for a browser.
#pragma once

#include <string>

#include "pagealloc/cli/common.h"

namespace pagealloc::cli {

/// Writes it to `out` on the host, as a whole or not at all. Of a damaged file too, as far as its
/// free map can be read.
Result<void> write_html(const FileArgs& args, const std::string& out);

}  // namespace pagealloc::cli
