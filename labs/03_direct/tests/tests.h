// The tests of lab 03, by the numbers of its table (lab.json).
#pragma once

#include "labs/grader/grader.h"

namespace pagealloc::labs {

// opening_test.cpp
void off_is_refused(Test& t);                      // 1.1
void direct_is_asked_for(Test& t);                 // 1.2
void required_and_refused_is_an_error(Test& t);    // 1.3
void attempted_and_refused_goes_without(Test& t);  // 1.4
// alignment_test.cpp
void alignment_is_the_files(Test& t);  // 2.1
void silence_means_4096(Test& t);      // 2.2
void larger_of_two(Test& t);           // 2.3
void pages_that_do_not_fit(Test& t);   // 2.4
void zero_means_no(Test& t);           // 2.5
// given_up_test.cpp
void through_the_cache_is_told(Test& t);  // 2.6
void given_up_cleanly(Test& t);           // 2.7
// memory_test.cpp
void misaligned_is_refused(Test& t);      // 3.1
void no_stricter_than_the_file(Test& t);  // 3.2
// durable_test.cpp
void lost_without_a_flush(Test& t);      // 4.1
void write_through_needs_none(Test& t);  // 4.2
// failure_test.cpp
void failure_that_may_have_changed(Test& t);  // 4.3
// punch_test.cpp
void blocks_are_given_back(Test& t);       // 5.1
void exactly_the_range(Test& t);           // 5.2
void cannot_punch_harms_nothing(Test& t);  // 5.3
void known_before_it_is_made(Test& t);     // 5.4
// holes_test.cpp
void space_before_bytes(Test& t);     // 5.5
void allocation_that_fails(Test& t);  // 5.6

}  // namespace pagealloc::labs
