// A lab's tests as a program: one of them a run, on the student's code.
//
// usage: lab_NN --list             the numbers of all tests
//        lab_NN run ID SEED FD     runs one and reports on descriptor FD; the parent's two words
//                                  come on standard input
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>

#include "labs/grader/grader.h"
#include "labs/grader/report.h"

namespace {

using namespace pagealloc::labs;

template <typename Number>
bool parse(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

int list() {
  for (const Exercise& exercise : exercises()) fmt::print("{}\n", exercise.id);
  return 0;
}

int run(std::string_view id, std::uint64_t seed, int fd) {
  const auto all = exercises();
  const auto exercise =
      std::find_if(all.begin(), all.end(), [&](const Exercise& each) { return each.id == id; });
  if (exercise == all.end()) {
    fmt::print(stderr, "no test {}\n", id);
    return 2;
  }
  Words words;
  if (!(std::cin >> words.begin >> words.end)) return 2;
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
  std::uint64_t seed = 0;
  int fd = -1;
  if (count == 2 && std::string_view(arguments[1]) == "--list") return list();
  if (count == 5 && std::string_view(arguments[1]) == "run" && parse(arguments[3], seed) &&
      parse(arguments[4], fd)) {
    return run(arguments[2], seed, fd);
  }
  fmt::print(stderr, "usage: {0} --list | {0} run ID SEED FD\n", arguments[0]);
  return 2;
}
