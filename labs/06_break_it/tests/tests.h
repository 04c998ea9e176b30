// The tests of lab 06, by the numbers of its table (lab.json).
#pragma once

#include "labs/grader/grader.h"

namespace pagealloc::labs {

// look_test.cpp
void lost_commit_is_an_error(Test& t);      // 1.1
void invented_commit_is_an_error(Test& t);  // 1.2
void bytes_are_compared(Test& t);           // 1.3
void under_way_may_be_there(Test& t);       // 1.4
void complaints_are_told_apart(Test& t);    // 1.5
// cut_test.cpp
void a_cut_is_drawn_often(Test& t);      // 2.1
void each_write_by_itself(Test& t);      // 2.2
void bounds_are_of_the_moment(Test& t);  // 2.3
// live_test.cpp
void goes_on_from_what_is_there(Test& t);     // 3.1
void promised_when_it_has_returned(Test& t);  // 3.2
void a_failed_commit_is_the_end(Test& t);     // 3.3
void a_life_on_the_machine(Test& t);          // 3.4
// judge_test.cpp
void another_machine_has_the_medium(Test& t);     // 4.1
void no_excuse_on_a_good_medium(Test& t);         // 4.2
void an_error_is_right_on_a_bad_medium(Test& t);  // 4.3
void wrong_bytes_never_are(Test& t);              // 4.4
void a_recovery_is_cut_too(Test& t);              // 4.5
// survivor_test.cpp
void what_was_shown_must_stay(Test& t);  // 5.1
void who_was_told_may_refuse(Test& t);   // 5.2
// flakey_test.cpp
void acknowledged_before_the_drops(Test& t);  // 6.1
void drops_that_end_are_no_cut(Test& t);      // 6.2
void neither_is_a_kill(Test& t);              // 6.3
// whole_test.cpp
void right_ones_survive(Test& t);  // 7.1
void planted_first(Test& t);       // 7.2
void planted_second(Test& t);      // 7.3
void planted_third(Test& t);       // 7.4

}  // namespace pagealloc::labs
