// Questions to a kernel and its file system, answered by a power cut: what is left of one call that
// nothing has made durable? The answers stand in docs/durability.md beside the simulated kernel's.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "harness/crash/rigs/progress.h"

namespace pagealloc::crash::rigs {

struct Probe {
  std::string_view name;
  std::string_view question;
  /// Does it, in an empty directory.
  std::expected<void, std::string> (*before)(const std::string& directory);
  /// What is left of it, in a word.
  std::expected<std::string, std::string> (*after)(const std::string& directory);
};

std::span<const Probe> probes();

}  // namespace pagealloc::crash::rigs
