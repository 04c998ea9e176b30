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

/// Does the plan's filter leave it in? Its name is "caches".
bool wanted(const Plan& plan);

/// Measures on a file of its own in plan.directory. `recorded`: see compare_policies(). What cannot
/// be measured says why.
Section measure(const Plan& plan, const std::string& recorded);

}  // namespace pagealloc::harness::caches
