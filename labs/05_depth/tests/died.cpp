#include "labs/05_depth/tests/died.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "labs/not_started.h"

namespace pagealloc::labs {

Died died_of(const std::function<void()>& what) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) < 0) return {.said = "no pipe"};
  const pid_t child = fork();
  if (child < 0) return {.said = "no process"};
  if (child == 0) {
    (void)signal(SIGABRT, SIG_DFL);  // nothing of this is for the report
    (void)dup2(ends[1], STDERR_FILENO);
    what();
    _exit(0);
  }
  (void)close(ends[1]);
  Died died;
  std::array<char, 256> piece{};
  for (ssize_t bytes = 0; (bytes = read(ends[0], piece.data(), piece.size())) > 0;) {
    died.said.append(piece.data(), static_cast<std::size_t>(bytes));
  }
  (void)close(ends[0]);
  int status = 0;
  (void)waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == not_started_status) {
    std::fputs(died.said.c_str(), stderr);
    _exit(not_started_status);
  }
  if (WIFSIGNALED(status)) died.signal = WTERMSIG(status);
  return died;
}

}  // namespace pagealloc::labs
