// Calls again what a signal has interrupted: EINTR is nobody's failure (signal(7), clause 10).
#pragma once

#include <cerrno>

namespace pagealloc {

/// The result of `call` once it is not -EINTR.
template <typename Call>
auto uninterrupted(Call call) noexcept {
  auto result = call();
  while (result == -EINTR) result = call();
  return result;
}

}  // namespace pagealloc
