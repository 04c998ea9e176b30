// What ends a process, tried out in a process of its own.
#pragma once

#include <csignal>
#include <functional>
#include <string>

namespace pagealloc::labs {

struct Died {
  int signal = 0;         ///< that ended it; 0: it came to its end
  std::string said = {};  ///< on standard error
};

/// Carries `what` out in a copy of this process. A function that is not written yet ends both.
Died died_of(const std::function<void()>& what);

}  // namespace pagealloc::labs
