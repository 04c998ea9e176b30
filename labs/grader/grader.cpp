#include "labs/grader/grader.h"

#include <unistd.h>

#include "labs/grader/report.h"

namespace pagealloc::labs {

void Test::expect_trouble(const std::string& likely_cause) { report_trouble(likely_cause); }

void Test::fail(const Failure& failure) {
  report_end(checks_, &failure);
  // No destructor: those of open files call the student's functions once more.
  _exit(0);
}

}  // namespace pagealloc::labs
