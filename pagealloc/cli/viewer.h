// The page for a browser, without a file's data: what stands in viewer/, which the build
// puts into viewer.cpp.
#pragma once

#include <string_view>

namespace pagealloc::cli {

extern const std::string_view viewer;

}  // namespace pagealloc::cli
