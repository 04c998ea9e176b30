#include "labs/05_depth/tests/died.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csetjmp>
#include <csignal>

namespace pagealloc::labs {

namespace {

sigjmp_buf way_back;

void go_back(int /*signal*/) { siglongjmp(way_back, 1); }

}  // namespace

Died died_of(const std::function<void()>& what) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) < 0) return {.said = "no pipe"};
  const int before = dup(STDERR_FILENO);
  (void)dup2(ends[1], STDERR_FILENO);
  struct sigaction action{};
  struct sigaction old{};
  action.sa_handler = go_back;
  (void)sigaction(SIGABRT, &action, &old);
  Died died;
  if (sigsetjmp(way_back, 1) == 0) {
    what();
  } else {
    died.aborted = true;
  }
  (void)sigaction(SIGABRT, &old, nullptr);
  (void)dup2(before, STDERR_FILENO);
  (void)close(before);
  std::array<char, 256> said{};
  const ssize_t bytes = read(ends[0], said.data(), said.size());
  if (bytes > 0) died.said.assign(said.data(), static_cast<std::size_t>(bytes));
  (void)close(ends[0]);
  (void)close(ends[1]);
  return died;
}

}  // namespace pagealloc::labs
