// Task 2: whole transfers, whatever the kernel answers.
#include <fmt/format.h>

#include <algorithm>

#include "labs/01_pages/tests/tests.h"
#include "labs/grader/bench.h"
#include "pagealloc/blocking.h"

namespace pagealloc::labs {

using os::Call;

void short_is_not_the_end(Test& t) {
  Bench bench(t);
  auto file = SharedFile::open(bench_path, bench.options(), Direct::off);
  if (!t.holds(file.has_value())) {
    t.fail({.expected = "opens", .found = file.error().text(), .cause = {}, .function = {}});
  }
  bench.kernel.clear_log();
  bench.kernel.set_short_transfers(777);
  Memory memory(4096);
  const Op op{.verb = Verb::read, .page = 5, .frame = memory.data()};
  const auto outcome = blocking::read(**file, op);
  const auto calls = bench.calls_of(Call::preadv);
  const auto moved = static_cast<std::size_t>(calls.empty() ? 0 : calls.front().result);
  if (!t.holds(outcome.result == Errc::ok && memory.filled_bytes() == 4096)) {
    t.fail({.expected = "4096 bytes of page 5",
            .found = fmt::format("{}: {} bytes of page 5, then memory that was never filled (0xEE)",
                                 text_of(outcome.result, outcome.os_error), memory.filled_bytes()),
            .cause = fmt::format("the kernel moved {} of 4096 bytes, which is no error (read(2), "
                                 "RETURN VALUE), and the rest was never asked for",
                                 moved),
            .function = "move_all",
            .evidence = bench.calls()});
  }
}

}  // namespace pagealloc::labs
