#include <array>

#include "labs/03_direct/tests/tests.h"

namespace pagealloc::labs {

std::span<const Exercise> exercises() {
  static constexpr std::array all = {
      Exercise{"1.1", off_is_refused},
      Exercise{"1.2", direct_is_asked_for},
      Exercise{"1.3", required_and_refused_is_an_error},
      Exercise{"1.4", attempted_and_refused_goes_without},
      Exercise{"2.1", alignment_is_the_files},
      Exercise{"2.2", silence_means_4096},
      Exercise{"2.3", larger_of_two},
      Exercise{"2.4", pages_that_do_not_fit},
      Exercise{"2.5", zero_means_no},
      Exercise{"2.6", through_the_cache_is_told},
      Exercise{"2.7", given_up_cleanly},
      Exercise{"3.1", misaligned_is_refused},
      Exercise{"3.2", no_stricter_than_the_file},
      Exercise{"4.1", lost_without_a_flush},
      Exercise{"4.2", write_through_needs_none},
      Exercise{"4.3", failure_that_may_have_changed},
      Exercise{"5.1", blocks_are_given_back},
      Exercise{"5.2", exactly_the_range},
      Exercise{"5.3", cannot_punch_harms_nothing},
      Exercise{"5.4", known_before_it_is_made},
      Exercise{"5.5", space_before_bytes},
      Exercise{"5.6", allocation_that_fails},
  };
  return all;
}

}  // namespace pagealloc::labs
