#include <array>

#include "labs/06_break_it/tests/tests.h"

namespace pagealloc::labs {

std::span<const Exercise> exercises() {
  static constexpr std::array all = {
      Exercise{"1.1", lost_commit_is_an_error},
      Exercise{"1.2", invented_commit_is_an_error},
      Exercise{"1.3", bytes_are_compared},
      Exercise{"1.4", under_way_may_be_there},
      Exercise{"1.5", complaints_are_told_apart},
      Exercise{"2.1", a_cut_is_drawn_often},
      Exercise{"2.2", each_write_by_itself},
      Exercise{"2.3", bounds_are_of_the_moment},
      Exercise{"3.1", goes_on_from_what_is_there},
      Exercise{"3.2", promised_when_it_has_returned},
      Exercise{"3.3", a_failed_commit_is_the_end},
      Exercise{"3.4", a_life_on_the_machine},
      Exercise{"4.1", another_machine_has_the_medium},
      Exercise{"4.2", no_excuse_on_a_good_medium},
      Exercise{"4.3", an_error_is_right_on_a_bad_medium},
      Exercise{"4.4", wrong_bytes_never_are},
      Exercise{"4.5", a_recovery_is_cut_too},
      Exercise{"5.1", what_was_shown_must_stay},
      Exercise{"5.2", who_was_told_may_refuse},
      Exercise{"6.1", acknowledged_before_the_drops},
      Exercise{"6.2", drops_that_end_are_no_cut},
      Exercise{"6.3", neither_is_a_kill},
      Exercise{"7.1", right_ones_survive},
      Exercise{"7.2", planted_first},
      Exercise{"7.3", planted_second},
      Exercise{"7.4", planted_third},
  };
  return all;
}

}  // namespace pagealloc::labs
