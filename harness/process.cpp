#include "harness/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

extern char** environ;

namespace pagealloc::harness {

namespace {

struct Pipe {
  std::array<int, 2> ends{-1, -1};
  ~Pipe() {
    for (const int end : ends) {
      if (end >= 0) (void)close(end);
    }
  }
  bool make() { return pipe2(ends.data(), O_CLOEXEC) == 0; }
  void close_writer() { (void)close(std::exchange(ends[1], -1)); }
};

/// Reads both pipes until both are at their end; one after the other could block the writer.
void drain(Pipe& out, Pipe& error, Output& result) {
  std::array<pollfd, 2> watched = {{{out.ends[0], POLLIN, 0}, {error.ends[0], POLLIN, 0}}};
  std::array<std::string*, 2> texts = {&result.out, &result.error};
  std::array<char, 65536> chunk;
  while (watched[0].fd >= 0 || watched[1].fd >= 0) {
    if (poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return;
    for (std::size_t i = 0; i < watched.size(); ++i) {
      if (watched[i].fd < 0 || watched[i].revents == 0) continue;
      const ssize_t got = read(watched[i].fd, chunk.data(), chunk.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        watched[i].fd = -1;  // poll ignores it from now on
      } else {
        texts[i]->append(chunk.data(), static_cast<std::size_t>(got));
      }
    }
  }
}

}  // namespace

std::expected<Output, std::string> run_process(const std::vector<std::string>& command) {
  Pipe out;
  Pipe error;
  if (!out.make() || !error.make()) return std::unexpected(std::string(std::strerror(errno)));
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, error.ends[1], STDERR_FILENO);
  pid_t child = 0;
  const int spawned =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (spawned != 0) {
    return std::unexpected(command[0] + " cannot be started: " + std::strerror(spawned));
  }
  out.close_writer();
  error.close_writer();
  Output result;
  drain(out, error, result);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return std::unexpected(std::string(std::strerror(errno)));
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace pagealloc::harness
