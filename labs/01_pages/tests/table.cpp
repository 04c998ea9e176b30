#include <array>

#include "labs/01_pages/tests/tests.h"

namespace pagealloc::labs {

std::span<const Exercise> exercises() {
  static constexpr std::array all = {
      Exercise{"1.1", range_lies_in_the_file},
      Exercise{"1.2", numbers_no_file_can_have},
      Exercise{"1.3", read_is_one_call},
      Exercise{"1.4", short_is_not_the_end},
      Exercise{"1.5", interrupted_is_made_again},
      Exercise{"1.6", end_of_file_and_error},
      Exercise{"1.7", write_is_whole},
      Exercise{"1.8", what_a_failed_write_is},
      Exercise{"1.9", hole_gets_its_space_first},
      Exercise{"1.10", sync_makes_durable},
      Exercise{"1.11", sync_passes_the_answer_on},
      Exercise{"1.12", syncs_one_at_a_time},
      Exercise{"1.13", first_failure_is_the_last},
      Exercise{"1.14", sync_beside_a_failure},
      Exercise{"1.15", page_cache_is_not_believed},
      Exercise{"1.16", open_makes_bytes_durable},
      Exercise{"1.17", open_makes_the_name_durable},
      Exercise{"1.18", directory_goes_wrong},
      Exercise{"1.19", rough_weather},
      Exercise{"1.20", budget_of_calls},
  };
  return all;
}

}  // namespace pagealloc::labs
