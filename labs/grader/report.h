// How a test's process tells its parent what came of it: lines of JSON on a descriptor of their
// own, so that nothing the student's code prints can be taken for one.
#pragma once

#include <cstdint>
#include <string>

#include "labs/grader/grader.h"

namespace pagealloc::labs {

/// What the parent tells this process and nobody else: an end without its word is not believed.
struct Words {
  std::string begin;
  std::string end;
};

/// The descriptor the parent reads, and the word it knows us by; before anything is reported.
void report_to(int fd, const Words& words, const std::string& id, std::uint64_t seed);
/// What a test says of trouble that it expects, at once: later there may be nobody to say it.
void report_trouble(const std::string& likely_cause);
/// The last line. `failure` nullptr: the test passed.
void report_end(std::uint64_t checks, const Failure* failure);
/// From now on SIGSEGV and the like, an abort, and the limit of processor time are reported with
/// the addresses of the functions that were being carried out, as offsets in the program.
void report_signals();

}  // namespace pagealloc::labs
