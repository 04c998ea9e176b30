// Task 1: what admit() lets through. No system call is made for it.
#include <fmt/format.h>

#include <string>

#include "labs/01_pages/tests/tests.h"
#include "labs/grader/bench.h"
#include "pagealloc/shared_file.h"

namespace pagealloc::labs {

namespace {

struct Case {
  Op op;
  Errc expected;
  const char* cause;
};

std::string text_of(const Op& op) {
  if (op.run == 1) return fmt::format("{} of page {}", name_of(op.verb), op.page);
  return fmt::format("{} of page {}, run {}", name_of(op.verb), op.page, op.run);
}

std::shared_ptr<SharedFile> opened(Test& t, Bench& bench) {
  auto file = SharedFile::open(bench_path, bench.options(), Direct::off);
  if (!t.holds(file.has_value())) {
    t.fail({.expected = "the file of the bench can be opened",
            .found = file.error().text(),
            .cause = "open() itself makes no transfer; nothing of this lab is needed for it",
            .function = "SharedFile::make_durable"});
  }
  return *file;
}

void check(Test& t, const SharedFile& file, const Case& each) {
  const Errc found = file.admit(each.op);
  if (t.holds(found == each.expected)) return;
  t.fail({.expected = fmt::format("{} in a file of {} pages: {}", text_of(each.op), file.pages(),
                                  name_of(each.expected)),
          .found = std::string(name_of(found)),
          .cause = each.cause,
          .function = "SharedFile::admit"});
}

}  // namespace

void range_lies_in_the_file(Test& t) {
  Bench bench(t);
  const auto file = opened(t, bench);
  Memory memory(4096);
  const char* const last =
      "the last page is page 7; a run fits while it is at most as long as the number of pages from "
      "its first page to the end";
  const char* const first_only = "the first page of a run is checked and the last one is not";
  const char* const behind = "a page behind the end was let through";
  const Case cases[] = {
      {{.verb = Verb::read, .page = 0}, Errc::ok, last},
      {{.verb = Verb::read, .page = 7}, Errc::ok, last},
      {{.verb = Verb::read, .run = 8, .page = 0}, Errc::ok, last},
      {{.verb = Verb::read, .run = 3, .page = 5}, Errc::ok, last},
      {{.verb = Verb::write, .page = 7, .frame = memory.data()}, Errc::ok, last},
      {{.verb = Verb::punch, .page = 7}, Errc::ok, last},
      {{.verb = Verb::read, .page = 8}, Errc::beyond_end, behind},
      {{.verb = Verb::write, .page = 8, .frame = memory.data()}, Errc::beyond_end, behind},
      {{.verb = Verb::punch, .page = 8}, Errc::beyond_end, behind},
      {{.verb = Verb::prefetch, .page = 8}, Errc::beyond_end, behind},
      {{.verb = Verb::read, .run = 2, .page = 7}, Errc::beyond_end, first_only},
      {{.verb = Verb::read, .run = 9, .page = 0}, Errc::beyond_end, first_only},
      {{.verb = Verb::write, .run = 8, .page = 1, .frame = memory.data()},
       Errc::beyond_end,
       first_only},
  };
  bench.kernel.clear_log();
  for (const Case& each : cases) check(t, *file, each);
  if (!t.holds(bench.kernel.log().empty())) {
    t.fail({.expected = "an answer without a system call",
            .found = "calls were made",
            .cause = "admit() decides by what the file knows already",
            .function = "SharedFile::admit",
            .evidence = bench.calls()});
  }
}

}  // namespace pagealloc::labs
