#include <array>

#include "labs/04_cache/tests/tests.h"

namespace pagealloc::labs {

std::span<const Exercise> exercises() {
  static constexpr std::array all = {
      Exercise{"1.1", hand_finds_what_may_go},
      Exercise{"1.2", clock_access_by_access},
      Exercise{"1.3", renamed_keeps_its_standing},
      Exercise{"2.1", lent_stays},
      Exercise{"2.2", misses_are_the_policys},
      Exercise{"2.3", marks_are_gone},
      Exercise{"3.1", written_is_read},
      Exercise{"3.2", reader_keeps_his_bytes},
      Exercise{"3.3", dirty_does_not_go},
      Exercise{"3.4", frames_come_back},
      Exercise{"3.5", write_counts_as_use},
      Exercise{"4.1", taken_is_held},
      Exercise{"4.2", in_order_and_on},
      Exercise{"4.3", clean_is_of_a_frame},
      Exercise{"5.1", neighbours_in_one},
      Exercise{"5.2", sixteen_at_a_time},
      Exercise{"5.3", sync_after_its_writes},
      Exercise{"5.4", write_that_fails},
  };
  return all;
}

}  // namespace pagealloc::labs
