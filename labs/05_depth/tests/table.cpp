#include <array>

#include "labs/05_depth/tests/tests.h"

namespace pagealloc::labs {

std::span<const Exercise> exercises() {
  static constexpr std::array all = {
      Exercise{"1.1", each_comes_back_once},
      Exercise{"1.2", submit_hands_over},
      Exercise{"1.3", each_has_its_own_result},
      Exercise{"2.1", pool_depth_is_counted},
      Exercise{"2.2", polling_lets_work_go_on},
      Exercise{"2.3", first_done_first_back},
      Exercise{"3.1", enters_for_each_operation},
      Exercise{"3.2", ring_depth_is_counted},
      Exercise{"3.3", an_interrupted_enter},
      Exercise{"3.4", a_prefetch_is_no_transfer},
      Exercise{"4.1", a_negative_completion},
      Exercise{"4.2", completions_in_any_order},
      Exercise{"4.3", short_interrupted_and_nothing},
      Exercise{"4.4", a_full_disk_before_anything},
      Exercise{"5.1", one_sync_at_a_time},
      Exercise{"5.2", a_sync_covers_what_was_reaped},
      Exercise{"5.3", a_failed_sync_is_everybodys},
      Exercise{"6.1", future_depth_is_counted},
      Exercise{"6.2", a_result_that_came_first},
      Exercise{"6.3", no_room_is_a_value},
      Exercise{"6.4", more_than_the_file_takes},
      Exercise{"6.5", nothing_allocates},
      Exercise{"6.6", awaited_by_two},
      Exercise{"7.1", dropped_ones_give_back},
      Exercise{"7.2", a_slot_is_used_again},
  };
  return all;
}

}  // namespace pagealloc::labs
