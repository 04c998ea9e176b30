// The ways to open a page file that the contract is checked on.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "pagealloc/options.h"

namespace pagealloc::conformance {

/// One way to open a page file: an implementation and the options that change its code path.
struct Variant {
  std::string name;
  Options options;
};
const std::vector<Variant>& variants();
/// How GoogleTest names the parameter of a failed test.
inline void PrintTo(const Variant& variant, std::ostream* out) { *out << variant.name; }

}  // namespace pagealloc::conformance
