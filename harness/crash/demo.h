// What a missing sync loses, shown in a second: the same loop with and without it, side by side.
#pragma once

namespace pagealloc::crash {

/// Prints a table of ten power cuts. 0, or 1 when the loop that syncs lost something too.
int demo();

}  // namespace pagealloc::crash
