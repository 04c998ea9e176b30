// The cache's own assertions find many a mistake first. What they say is for who knows the cache; a
// student reads what it means.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "labs/grader/grader.h"

namespace pagealloc::labs {

/// Why it is probably wrong, and where to look.
struct Blame {
  std::string cause;
  const char* function;
};

/// What an assertion means that can mean one thing only; else `otherwise`.
Blame blame_of_assertion(std::string_view expression, const Blame& otherwise);

/// An assertion that fails from now on is reported as `failure_of(expression)`, and the process
/// ends without an abort. Its own text is put in front of the evidence.
void on_assertion(Test& t, std::function<Failure(std::string_view expression)> failure_of);

/// The same for tests that know what is probably wrong, and for other ends of the process as well.
void expect_trouble(Test& t, const Blame& blame);

}  // namespace pagealloc::labs
