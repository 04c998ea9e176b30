// The ways to open a page file: each implementation, and the options that change its code path.
// What must hold for all of them is tested on each.
#pragma once

#include <ostream>
#include <string_view>
#include <vector>

#include "pagealloc/options.h"

namespace pagealloc {

struct Way {
  std::string_view name;
  Options options;
};
/// Small ones: 8 operations in flight, 16 frames.
const std::vector<Way>& ways();
/// How GoogleTest names the parameter of a failed test.
inline void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

}  // namespace pagealloc
