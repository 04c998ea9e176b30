// What each policy of eviction hits on known traces, beside the most that any could: computed, so
// the same on every machine.
#pragma once

#include <expected>
#include <nlohmann/json.hpp>
#include <string>

namespace pagealloc::harness::caches {

/// `recorded`: a file with a trace of a real program (cache-trace record); empty: none. The error
/// is why it cannot be read.
std::expected<nlohmann::json, std::string> compare_policies(const std::string& recorded);

}  // namespace pagealloc::harness::caches
