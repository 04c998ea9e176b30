#include <array>

#include "labs/01_pages/tests/tests.h"

namespace pagealloc::labs {

std::span<const Exercise> exercises() {
  static constexpr std::array all = {
      Exercise{"1.1", range_lies_in_the_file},
      Exercise{"1.4", short_is_not_the_end},
  };
  return all;
}

}  // namespace pagealloc::labs
