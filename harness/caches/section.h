// The section "caches" of results.json.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "harness/campaign.h"

namespace pagealloc::harness::caches {

struct Section {
  nlohmann::json document;
  bool wrong_bytes = false;
};

/// Measures on a file of its own in plan.directory. `recorded`: see compare_policies(). What cannot
/// be measured says why; so does what the plan's filter leaves out, where it is called "caches".
Section measure(const Plan& plan, const std::string& recorded);

}  // namespace pagealloc::harness::caches
