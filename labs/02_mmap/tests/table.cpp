#include <array>

#include "labs/02_mmap/tests/tests.h"

namespace pagealloc::labs {

std::span<const Exercise> exercises() {
  static constexpr std::array all = {
      Exercise{"1.1", what_a_map_cannot_do_is_refused},
      Exercise{"2.1", one_shared_map},
      Exercise{"2.2", opening_reads_nothing},
      Exercise{"2.3", advice_covers_the_range},
      Exercise{"2.4", growth_moves_nothing},
      Exercise{"2.5", growth_beyond_is_refused},
      Exercise{"2.6", reserve_covers_the_file},
      Exercise{"2.7", cut_off_is_zeros_and_an_error},
      Exercise{"2.8", grown_and_cut_off_too},
      Exercise{"3.1", closed_leaves_nothing},
      Exercise{"4.1", all_handles_one_map},
      Exercise{"5.1", page_itself_is_lent},
      Exercise{"5.2", no_store_into_a_hole},
      Exercise{"5.3", no_store_after_a_failure},
      Exercise{"6.1", store_is_the_write},
      Exercise{"6.2", run_is_copied_whole},
      Exercise{"6.3", space_comes_first},
      Exercise{"6.4", copy_into_the_end_is_no_success},
      Exercise{"7.1", one_call_for_all_stores},
      Exercise{"7.2", synced_survives_power_cuts},
      Exercise{"7.3", failed_sync_is_told},
      Exercise{"7.4", lost_is_not_served},
      Exercise{"7.5", interrupted_sync_is_repeated},
      Exercise{"7.6", one_sync_at_a_time},
      Exercise{"7.7", empty_file_is_synced},
      Exercise{"7.8", growth_is_covered},
  };
  return all;
}

}  // namespace pagealloc::labs
