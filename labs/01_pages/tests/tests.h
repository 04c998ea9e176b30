// The tests of lab 01, by the numbers of its table (lab.json).
#pragma once

#include "labs/grader/grader.h"

namespace pagealloc::labs {

// bounds_test.cpp
void range_lies_in_the_file(Test& t);  // 1.1
// transfer_test.cpp
void short_is_not_the_end(Test& t);  // 1.4

}  // namespace pagealloc::labs
