// The tests of lab 02, by the numbers of its table (lab.json).
#pragma once

#include "labs/grader/grader.h"

namespace pagealloc::labs {

// open_test.cpp
void what_a_map_cannot_do_is_refused(Test& t);  // 1.1
void one_shared_map(Test& t);                   // 2.1
void opening_reads_nothing(Test& t);            // 2.2
void advice_covers_the_range(Test& t);          // 2.3
// reach_test.cpp
void growth_moves_nothing(Test& t);      // 2.4
void growth_beyond_is_refused(Test& t);  // 2.5
void reserve_covers_the_file(Test& t);   // 2.6
// lost_test.cpp
void cut_off_is_zeros_and_an_error(Test& t);  // 2.7
void grown_and_cut_off_too(Test& t);          // 2.8
// close_test.cpp
void closed_leaves_nothing(Test& t);  // 3.1
void all_handles_one_map(Test& t);    // 4.1
// stage_test.cpp
void page_itself_is_lent(Test& t);       // 5.1
void no_store_into_a_hole(Test& t);      // 5.2
void no_store_after_a_failure(Test& t);  // 5.3
// write_test.cpp
void store_is_the_write(Test& t);               // 6.1
void run_is_copied_whole(Test& t);              // 6.2
void space_comes_first(Test& t);                // 6.3
void copy_into_the_end_is_no_success(Test& t);  // 6.4
// sync_test.cpp
void one_call_for_all_stores(Test& t);     // 7.1
void synced_survives_power_cuts(Test& t);  // 7.2
void empty_file_is_synced(Test& t);        // 7.7
void growth_is_covered(Test& t);           // 7.8
// failed_sync_test.cpp
void failed_sync_is_told(Test& t);           // 7.3
void lost_is_not_served(Test& t);            // 7.4
void interrupted_sync_is_repeated(Test& t);  // 7.5
void one_sync_at_a_time(Test& t);            // 7.6

}  // namespace pagealloc::labs
