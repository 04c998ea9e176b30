// The tests of lab 07, by the numbers of its table (lab.json).
#pragma once

#include "labs/grader/grader.h"

namespace pagealloc::labs {

// seal_test.cpp
void fields_are_in_their_places(Test& t);   // 1.1
void checksum_is_over_everything(Test& t);  // 1.2
// check_test.cpp
void what_was_sealed_is_taken(Test& t);         // 2.1
void every_byte_that_changes_is_told(Test& t);  // 2.2
void anothers_place_is_told(Test& t);           // 2.3
void a_blank_page_is_named(Test& t);            // 2.4
void a_good_checksum_is_no_excuse(Test& t);     // 2.5
// insert_test.cpp
void first_records(Test& t);                // 3.1
void what_is_not_there(Test& t);            // 3.2
void no_bytes_and_references(Test& t);      // 3.3
void to_the_last_byte(Test& t);             // 3.4
void the_largest_pages(Test& t);            // 3.5
void erased_slots_are_used_again(Test& t);  // 3.6
// erase_test.cpp
void an_erased_record_is_gone(Test& t);  // 4.1
void last_slots_go(Test& t);             // 4.2
// compact_test.cpp
void slots_keep_their_numbers(Test& t);      // 5.1
void all_fragments_come_back(Test& t);       // 5.2
void insert_compacts_when_it_must(Test& t);  // 5.3
// update_test.cpp
void updates_in_place(Test& t);                  // 6.1
void updates_that_grow(Test& t);                 // 6.2
void old_record_stays_when_it_is_full(Test& t);  // 6.3
void updates_to_references(Test& t);             // 6.4
// cursor_test.cpp
void room_to_the_byte(Test& t);              // 7.1
void cursor_meets_all(Test& t);              // 7.2
void nothing_moves_under_a_cursor(Test& t);  // 7.3
// open_test.cpp
void right_pages_are_taken(Test& t);    // 8.1
void every_lie_is_told(Test& t);        // 8.2
void any_bytes_get_an_answer(Test& t);  // 8.3
// model_test.cpp
void does_what_a_map_does(Test& t);  // 9.1

}  // namespace pagealloc::labs
