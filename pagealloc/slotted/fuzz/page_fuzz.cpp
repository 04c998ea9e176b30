// Any bytes as a slotted page and as a node, looked at, searched and changed: ./lab fuzz.
#include "pagealloc/slotted/fuzz/input.h"
#include "pagealloc/slotted/tests/exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto page = pagealloc::slotted::page_of(data, size);
  (void)pagealloc::slotted::exercise(page);
  return 0;
}
