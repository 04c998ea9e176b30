// A system call that failed, as a line for people.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <expected>
#include <string>
#include <utility>

#include "pagealloc/error.h"

namespace pagealloc::crash::rigs {

/// "what: why", from errno; call it before anything else can change that.
template <typename... Args>
std::unexpected<std::string> trouble(fmt::format_string<Args...> what, Args&&... args) {
  const int error = errno;
  return std::unexpected(
      fmt::format("{}: {}", fmt::format(what, std::forward<Args>(args)...), describe(error)));
}

}  // namespace pagealloc::crash::rigs
