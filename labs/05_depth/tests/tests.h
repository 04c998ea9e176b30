// The tests of lab 05, by the numbers of its table (lab.json).
#pragma once

#include "labs/grader/grader.h"

namespace pagealloc::labs {

// pool_test.cpp
void each_comes_back_once(Test& t);     // 1.1
void submit_hands_over(Test& t);        // 1.2
void each_has_its_own_result(Test& t);  // 1.3
void pool_depth_is_counted(Test& t);    // 2.1
void polling_lets_work_go_on(Test& t);  // 2.2
void first_done_first_back(Test& t);    // 2.3
// ring_test.cpp
void enters_for_each_operation(Test& t);  // 3.1
void ring_depth_is_counted(Test& t);      // 3.2
void an_interrupted_enter(Test& t);       // 3.3
void a_prefetch_is_no_transfer(Test& t);  // 3.4
void completions_in_any_order(Test& t);   // 4.2
// completion_test.cpp
void a_negative_completion(Test& t);          // 4.1
void short_interrupted_and_nothing(Test& t);  // 4.3
void a_full_disk_before_anything(Test& t);    // 4.4
// sync_test.cpp
void one_sync_at_a_time(Test& t);             // 5.1
void a_sync_covers_what_was_reaped(Test& t);  // 5.2
void a_failed_sync_is_everybodys(Test& t);    // 5.3
// future_test.cpp
void future_depth_is_counted(Test& t);   // 6.1
void a_result_that_came_first(Test& t);  // 6.2
void no_room_is_a_value(Test& t);        // 6.3
void more_than_the_file_takes(Test& t);  // 6.4
void nothing_allocates(Test& t);         // 6.5
void awaited_by_two(Test& t);            // 6.6
void dropped_ones_give_back(Test& t);    // 7.1
void a_slot_is_used_again(Test& t);      // 7.2

}  // namespace pagealloc::labs
