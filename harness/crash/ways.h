// The ways to open a page file that a store is put to the test on.
#pragma once

#include <string_view>
#include <vector>

#include "pagealloc/options.h"

namespace pagealloc::crash {

struct Way {
  std::string_view name;
  Options options;
};
const std::vector<Way>& ways();

}  // namespace pagealloc::crash
