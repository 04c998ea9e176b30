// Does to a page what can be done to one, whatever its bytes are, and ends the process when what
// was promised of it does not hold.
#pragma once

#include <cstddef>
#include <span>

#include "pagealloc/random.h"

namespace pagealloc::slotted {

/// Is it a slotted page or a node, and whole? Then it is searched and changed as well.
bool exercise(std::span<std::byte> bytes);

/// What each byte of it is (slotted/layout.h), whether it is whole or not.
void exercise_layout(std::span<const std::byte> bytes);

/// Makes these bytes a page with some records, or a node.
void fill(std::span<std::byte> bytes, Random& random);

}  // namespace pagealloc::slotted
