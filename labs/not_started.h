// What stands in a starter where a function of the exercise is to be written.
#pragma once

#include <unistd.h>

#include <cstdio>

namespace pagealloc::labs {

/// The exit status of a program that has met a function that nobody has written yet.
inline constexpr int not_started_status = 77;

/// Ends the process, saying which function it is. `names` are the function's parameters and what
/// only its body uses, so that a starter compiles without a warning. Nothing is closed and no
/// destructor runs: they would call the next function that is not written.
template <typename... Names>
[[noreturn]] void not_started(const char* function, Names&&...) noexcept {
  (void)std::fprintf(stderr, "NOT STARTED: %s\n", function);
  _exit(not_started_status);
}

}  // namespace pagealloc::labs
