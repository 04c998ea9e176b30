// Task 1: what admit() lets through. No system call is made for it.
#include <fmt/format.h>

#include <string>

#include "labs/01_pages/tests/common.h"
#include "labs/01_pages/tests/tests.h"

namespace pagealloc::labs {

namespace {

struct Case {
  Op op;
  Errc expected;
  std::string cause;
};

std::string text_of(const Op& op) {
  if (op.verb == Verb::sync) {
    return fmt::format("sync, with page {} and run {} in its fields,", op.page, op.run);
  }
  if (op.run == 1) return fmt::format("{} of page {}", name_of(op.verb), op.page);
  return fmt::format("{} from page {}, run {}", name_of(op.verb), op.page, op.run);
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
  const std::uint64_t n = 5 + t.random().below(60);  // pages
  const auto all = static_cast<std::uint32_t>(n);
  Bench bench(t, {.pages = n});
  const auto file = opened(t, bench);
  Memory memory(4096);
  const std::string last = fmt::format(
      "the last page is page {}; a run fits while it is at most as long as the number of pages "
      "from its first page to the end",
      n - 1);
  const std::string first_only = "the first page of a run is checked and the last one is not";
  const std::string behind =
      "a page behind the end was let through; the pages are 0 to pages() - 1";
  const Case cases[] = {
      {{.verb = Verb::read, .page = 0}, Errc::ok, last},
      {{.verb = Verb::read, .page = n - 1}, Errc::ok, last},
      {{.verb = Verb::read, .run = all, .page = 0}, Errc::ok, last},
      {{.verb = Verb::read, .run = 3, .page = n - 3}, Errc::ok, last},
      {{.verb = Verb::write, .page = n - 1, .frame = memory.data()}, Errc::ok, last},
      {{.verb = Verb::punch, .page = n - 1}, Errc::ok, last},
      {{.verb = Verb::read, .page = n}, Errc::beyond_end, behind},
      {{.verb = Verb::write, .page = n, .frame = memory.data()}, Errc::beyond_end, behind},
      {{.verb = Verb::punch, .page = n}, Errc::beyond_end, behind},
      {{.verb = Verb::prefetch, .page = n}, Errc::beyond_end, behind},
      {{.verb = Verb::read, .run = 2, .page = n - 1}, Errc::beyond_end, first_only},
      {{.verb = Verb::read, .run = all + 1, .page = 0}, Errc::beyond_end, first_only},
      {{.verb = Verb::write, .run = all, .page = 1, .frame = memory.data()},
       Errc::beyond_end,
       first_only},
  };
  for (const Case& each : cases) check(t, *file, each);
  if (!t.holds(bench.kernel.log().empty())) {
    t.fail({.expected = "an answer without a system call",
            .found = "calls were made",
            .cause = "admit() decides by what the file knows already",
            .function = "SharedFile::admit",
            .evidence = bench.calls()});
  }
}

void numbers_no_file_can_have(Test& t) {
  constexpr PageId highest = UINT64_MAX;
  constexpr PageId wraps_in_bytes = 1ULL << 52;  // times 4096 is 2^64
  constexpr std::uint32_t gib_pages = (1ULL << 30) / 4096;
  constexpr std::uint32_t wraps_to_a_page = (1ULL << 32) / 4096 + 1;  // bytes, in 32 bits
  constexpr const char* empty_path = "/d/empty.pa";
  Bench::Setup setup{.pages = 5 + t.random().below(60)};
  setup.machine.image.files[empty_path] = {};
  Bench bench(t, setup);
  const auto file = opened(t, bench);
  const auto empty = SharedFile::open(empty_path, bench.options(), Direct::off);
  if (!t.holds(empty.has_value())) {
    t.fail({.expected = "an empty file can be opened",
            .found = empty.error().text(),
            .cause = "open() has been told to sync nothing",
            .function = "SharedFile::make_durable"});
  }
  Memory memory(4096);
  const std::string wraps =
      "`page + run` is larger than 64 bits and begins again at 0. Subtract instead of adding: "
      "compare `run` with `pages - page`, once `page < pages` is known";
  const std::string bytes_wrap =
      "pages are compared as bytes: this page times 4096 is 2^64, which is 0 in 64 bits. Compare "
      "numbers of pages";
  const std::string nothing = "a run of 0 pages moves nothing; no operation is that";
  const std::string too_long =
      "what would not fit one system call is refused as an argument, however long the file is: "
      "run_bytes_max says how much is too much";
  const std::string run_wraps =
      "`op.run` and `page_bytes` have 32 bits each, and so has their product: of this run 4096 "
      "bytes are left. bytes_of() multiplies in 64";
  const std::string in_pages =
      "1 GiB is not more than run_bytes_max; what is wrong with this run is that the file is "
      "shorter";
  const std::string no_range =
      "a sync has neither page nor run; what stands in these fields is of no meaning";
  const Case cases[] = {
      {{.verb = Verb::read, .page = wraps_in_bytes}, Errc::beyond_end, bytes_wrap},
      {{.verb = Verb::read, .page = highest}, Errc::beyond_end, wraps},
      {{.verb = Verb::read, .run = 2, .page = highest}, Errc::beyond_end, wraps},
      {{.verb = Verb::read, .run = 4, .page = highest - 3}, Errc::beyond_end, wraps},
      {{.verb = Verb::read, .run = 0, .page = 1}, Errc::bad_argument, nothing},
      {{.verb = Verb::write, .run = 0, .page = 1, .frame = memory.data()},
       Errc::bad_argument,
       nothing},
      {{.verb = Verb::punch, .run = 0, .page = 1}, Errc::bad_argument, nothing},
      {{.verb = Verb::read, .run = gib_pages + 1}, Errc::bad_argument, too_long},
      {{.verb = Verb::read, .run = wraps_to_a_page}, Errc::bad_argument, run_wraps},
      {{.verb = Verb::read, .run = gib_pages}, Errc::beyond_end, in_pages},
      {{.verb = Verb::sync, .run = 0, .page = highest}, Errc::ok, no_range},
  };
  for (const Case& each : cases) check(t, *file, each);
  check(t, **empty, {{.verb = Verb::sync}, Errc::ok, no_range});
}

}  // namespace pagealloc::labs
