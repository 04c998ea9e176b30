// A lab's tests as a program: one of them a run, on the student's code.
//
// usage: lab_NN --list        the numbers of all tests
//        lab_NN run ID FD     runs one and reports on descriptor FD; the parent's two words and the
//                             seed come on standard input
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <sstream>
#include <string>
#include <string_view>

#include "labs/grader/grader.h"
#include "labs/grader/report.h"

namespace {

using namespace pagealloc::labs;

std::array<char, 128> said{};  // of zero, and so there before anything runs

bool wants_run(int count, char** arguments) {
  return count == 4 && std::string_view(arguments[1]) == "run";
}

// Before any initializer of the student's, whose priority is the last one: who reads standard input
// there finds its end. One line: two words and the seed.
[[gnu::constructor(101)]] void hear(int count, char** arguments) {
  if (!wants_run(count, arguments)) return;
  std::size_t bytes = 0;
  while (bytes < said.size() - 1) {
    const ssize_t got = ::read(STDIN_FILENO, said.data() + bytes, said.size() - 1 - bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    bytes += static_cast<std::size_t>(got);
    if (std::find(said.begin(), said.end(), '\n') != said.end()) break;
  }
}

bool parse(std::string_view text, int& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

int list() {
  for (const Exercise& exercise : exercises()) fmt::print("{}\n", exercise.id);
  return 0;
}

int run(std::string_view id, int fd) {
  const auto all = exercises();
  const auto exercise =
      std::find_if(all.begin(), all.end(), [&](const Exercise& each) { return each.id == id; });
  if (exercise == all.end()) {
    fmt::print(stderr, "no test {}\n", id);
    return 2;
  }
  Words words;
  std::uint64_t seed = 0;
  std::istringstream heard(said.data());
  said.fill('\0');
  if (!(heard >> words.begin >> words.end >> seed)) {
    fmt::print(stderr, "two words and a seed were to come on standard input\n");
    return 2;
  }
  report_to(fd, words, std::string(id), seed);
  report_signals();
  Test test(seed);
  exercise->run(test);
  report_end(test.checks(), nullptr);
  std::fflush(stdout);
  _exit(0);  // no destructor of the student's after the verdict
}

}  // namespace

int main(int count, char** arguments) {
  int fd = -1;
  if (count == 2 && std::string_view(arguments[1]) == "--list") return list();
  if (wants_run(count, arguments) && parse(arguments[3], fd)) return run(arguments[2], fd);
  fmt::print(stderr, "usage: {0} --list | {0} run ID FD\n", arguments[0]);
  return 2;
}
