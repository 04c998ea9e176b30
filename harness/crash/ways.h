// The ways to open a page file that a store is put to the test on.
#pragma once

#include <ostream>
#include <string_view>
#include <vector>

#include "pagealloc/options.h"

namespace pagealloc::crash {

struct Way {
  std::string_view name;
  Options options;
};
const std::vector<Way>& ways();
/// How GoogleTest names the parameter of a failed test.
inline void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

}  // namespace pagealloc::crash
