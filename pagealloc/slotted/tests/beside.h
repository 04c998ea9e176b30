// What a failing test shows: the page that was expected, and the one that was found.
#pragma once

#include <string>
#include <vector>

#include "pagealloc/slotted/drawing.h"

namespace pagealloc::slotted {

/// Neither needs a header: both get the same one.
inline std::string beside(std::vector<std::byte> expected, std::vector<std::byte> found,
                          page::Type type) {
  page::seal(expected, {.type = type});
  page::seal(found, {.type = type});
  return "\n" + side_by_side(expected, found, 0);
}

}  // namespace pagealloc::slotted
