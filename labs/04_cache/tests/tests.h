// The tests of lab 04, by the numbers of its table (lab.json). Those of task 6 are a program of
// their own (tests/schedules/).
#pragma once

#include "labs/grader/grader.h"

namespace pagealloc::labs {

// clock_test.cpp
void hand_finds_what_may_go(Test& t);      // 1.1
void renamed_keeps_its_standing(Test& t);  // 1.3
// access_test.cpp
void clock_access_by_access(Test& t);  // 1.2
// frames_test.cpp
void lent_stays(Test& t);              // 2.1
void misses_are_the_policys(Test& t);  // 2.2
void marks_are_gone(Test& t);          // 2.3
// put_test.cpp
void written_is_read(Test& t);         // 3.1
void reader_keeps_his_bytes(Test& t);  // 3.2
void dirty_does_not_go(Test& t);       // 3.3
void frames_come_back(Test& t);        // 3.4
// standing_test.cpp
void write_counts_as_use(Test& t);  // 3.5
// dirty_test.cpp
void taken_is_held(Test& t);        // 4.1
void in_order_and_on(Test& t);      // 4.2
void clean_is_of_a_frame(Test& t);  // 4.3
// write_back_test.cpp
void neighbours_in_one(Test& t);  // 5.1
void sixteen_at_a_time(Test& t);  // 5.2
// durable_test.cpp
void sync_after_its_writes(Test& t);  // 5.3
void write_that_fails(Test& t);       // 5.4

}  // namespace pagealloc::labs
