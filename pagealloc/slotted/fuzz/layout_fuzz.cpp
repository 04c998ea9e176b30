// Any bytes as what `pagealloc inspect` draws, of every type. Apart from page_fuzz, because it
// takes three times as long and finds other things.
#include "pagealloc/slotted/fuzz/input.h"
#include "pagealloc/slotted/tests/exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pagealloc::slotted::exercise_layout(pagealloc::slotted::page_of(data, size));
  return 0;
}
