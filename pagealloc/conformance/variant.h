// The ways to open a page file that the contract is checked on.
#pragma once

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "pagealloc/options.h"

namespace pagealloc::conformance {

/// One way to open a page file, on one kernel.
struct Variant {
  std::string name;
  bool simulated = false;  ///< on the simulated kernel
  Options options;
};
std::vector<Variant> variants();
/// The same on the simulated kernel.
std::vector<Variant> simulated_variants();
/// Can this machine open files this way in `directory`? Asks the system, not the code under test,
/// which might refuse everything and have every test skipped.
bool machine_offers(const Variant& variant, const std::filesystem::path& directory);
/// How GoogleTest names the parameter of a failed test.
inline void PrintTo(const Variant& variant, std::ostream* out) { *out << variant.name; }

}  // namespace pagealloc::conformance
