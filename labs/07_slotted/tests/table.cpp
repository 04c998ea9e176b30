#include <array>

#include "labs/07_slotted/tests/tests.h"

namespace pagealloc::labs {

std::span<const Exercise> exercises() {
  static constexpr std::array all = {
      Exercise{"1.1", fields_are_in_their_places},
      Exercise{"1.2", checksum_is_over_everything},
      Exercise{"2.1", what_was_sealed_is_taken},
      Exercise{"2.2", every_byte_that_changes_is_told},
      Exercise{"2.3", anothers_place_is_told},
      Exercise{"2.4", a_blank_page_is_named},
      Exercise{"2.5", a_good_checksum_is_no_excuse},
      Exercise{"3.1", first_records},
      Exercise{"3.2", what_is_not_there},
      Exercise{"3.3", no_bytes_and_references},
      Exercise{"3.4", to_the_last_byte},
      Exercise{"3.5", the_largest_pages},
      Exercise{"3.6", erased_slots_are_used_again},
      Exercise{"4.1", an_erased_record_is_gone},
      Exercise{"4.2", last_slots_go},
      Exercise{"5.1", slots_keep_their_numbers},
      Exercise{"5.2", all_fragments_come_back},
      Exercise{"5.3", insert_compacts_when_it_must},
      Exercise{"6.1", updates_in_place},
      Exercise{"6.2", updates_that_grow},
      Exercise{"6.3", old_record_stays_when_it_is_full},
      Exercise{"6.4", updates_to_references},
      Exercise{"7.1", room_to_the_byte},
      Exercise{"7.2", cursor_meets_all},
      Exercise{"7.3", nothing_moves_under_a_cursor},
      Exercise{"8.1", right_pages_are_taken},
      Exercise{"8.2", every_lie_is_told},
      Exercise{"8.3", any_bytes_get_an_answer},
      Exercise{"9.1", does_what_a_map_does},
  };
  return all;
}

}  // namespace pagealloc::labs
