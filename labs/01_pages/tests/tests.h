// The tests of lab 01, by the numbers of its table (lab.json).
#pragma once

#include "labs/grader/grader.h"

namespace pagealloc::labs {

// bounds_test.cpp
void range_lies_in_the_file(Test& t);    // 1.1
void numbers_no_file_can_have(Test& t);  // 1.2
// transfer_test.cpp
void read_is_one_call(Test& t);           // 1.3
void short_is_not_the_end(Test& t);       // 1.4
void interrupted_is_made_again(Test& t);  // 1.5
void end_of_file_and_error(Test& t);      // 1.6
// write_test.cpp
void write_is_whole(Test& t);             // 1.7
void what_a_failed_write_is(Test& t);     // 1.8
void hole_gets_its_space_first(Test& t);  // 1.9
// sync_test.cpp
void sync_makes_durable(Test& t);         // 1.10
void sync_passes_the_answer_on(Test& t);  // 1.11
void syncs_one_at_a_time(Test& t);        // 1.12
// failure_test.cpp
void first_failure_is_the_last(Test& t);   // 1.13
void sync_beside_a_failure(Test& t);       // 1.14
void page_cache_is_not_believed(Test& t);  // 1.15
// open_test.cpp
void open_makes_bytes_durable(Test& t);     // 1.16
void open_makes_the_name_durable(Test& t);  // 1.17
void directory_goes_wrong(Test& t);         // 1.18
// budget_test.cpp
void rough_weather(Test& t);    // 1.19
void budget_of_calls(Test& t);  // 1.20

}  // namespace pagealloc::labs
