// Running another program and reading what it prints.
#pragma once

#include <expected>
#include <string>
#include <vector>

namespace pagealloc::harness {

struct Output {
  int exit_code = 0;  ///< 128 + signal when it was killed
  std::string out;
  std::string error;
};

/// Runs `command` (found on the PATH) to its end. An error when it cannot be started.
std::expected<Output, std::string> run_process(const std::vector<std::string>& command);

}  // namespace pagealloc::harness
