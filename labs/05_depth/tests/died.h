// What ends a process, and the test goes on.
#pragma once

#include <functional>
#include <string>

namespace pagealloc::labs {

struct Died {
  bool aborted = false;
  std::string said = {};  ///< on standard error
};

/// Calls `what` and comes back from the abort() in it. What `what` had on its stack then is lost,
/// no destructor runs, so it may keep nothing that anybody needs.
Died died_of(const std::function<void()>& what);

}  // namespace pagealloc::labs
