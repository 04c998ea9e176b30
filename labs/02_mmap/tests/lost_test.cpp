// Task 2: pages that are not there any more.
#include <fmt/format.h>

#include <algorithm>

#include "labs/02_mmap/tests/mapped.h"
#include "labs/02_mmap/tests/tests.h"

namespace pagealloc::labs {

namespace {

constexpr std::uint64_t page_bytes = 4096;

const Blame unguarded = {
    "nobody guards this page (Kernel::guard), so the kernel's only way to say that it is not there "
    "is a signal that ends the process",
    "Map::make"};

void expect_lost(Test& t, Mapped& machine, std::uint32_t count, std::string_view after) {
  if (t.holds(machine.lost_pages() == count)) return;
  t.fail({.expected = fmt::format("{} SIGBUS after {}", count, after),
          .found = fmt::format("{}, by the counter that guard() was given", machine.lost_pages()),
          .cause = "the first touch of a lost page of memory is one SIGBUS; then there are zeros",
          .function = "Map::make"});
}

void expect_state(Test& t, PageFile& file, Errc expected, const char* cause) {
  if (t.holds(file.failed() == expected)) return;
  t.fail({.expected = fmt::format("failed() says {}", name_of(expected)),
          .found = std::string(name_of(file.failed())),
          .cause = cause,
          .function = "Map::make"});
}

const char* const untold =
    "the process lived, and nobody was told: zeros were passed off for data. What guard() counts "
    "must be shared.map_faults(), where SharedFile looks";

/// The rest of page 3 and all behind it are gone.
void check_cut_page(Test& t, Mapped& machine, PageFile& file, std::uint64_t left_bytes) {
  const auto found = machine.touches.look(file.peek(3), page_bytes);
  auto expected = pattern(3, 0);
  std::fill(expected.begin() + static_cast<std::ptrdiff_t>(left_bytes), expected.end(),
            std::byte{0});
  if (!t.holds(found.has_value() && *found == expected)) {
    t.fail({.expected = fmt::format("page 3: its first {} bytes, then zeros", left_bytes),
            .found = found ? "other bytes, see below" : machine.touches.signal(),
            .cause = "the end of the file lies inside this page of memory, so it is there",
            .function = "Map::make",
            .evidence = found ? picture_of(3, *found, 0, std::vector<std::uint64_t>{1}) : ""});
  }
  expect_lost(t, machine, 0, "a look at page 3, in which the file ends");
  expect_state(t, file, Errc::ok, "a cut inside a page of memory raises no signal");
}

void check_small_pages(Test& t) {
  Mapped machine(t);
  PageFile& file = machine.open(machine.options());
  Op lent = Mapped::run(file, {.verb = Verb::read, .page = 5});
  PageRef page(file, 5, lent.frame, 1);
  const std::uint64_t left_bytes = 100 + t.random().below(3000);
  machine.bench.raw_resize(3 * page_bytes + left_bytes);
  check_cut_page(t, machine, file, left_bytes);
  for (int look = 0; look < 3; ++look) machine.expect_zeros(file, 5, unguarded);
  const auto released = page.release();
  if (!t.holds(!released && released.error().code == Errc::truncated)) {
    t.fail({.expected = "release() of page 5 says truncated",
            .found = released ? "ok" : released.error().text(),
            .cause = untold,
            .function = "Map::make"});
  }
  expect_lost(t, machine, 1, "three looks at page 5");
  machine.expect_zeros(file, 7, unguarded);
  expect_lost(t, machine, 2, "a look at page 7");
  expect_state(t, file, Errc::truncated, untold);
  const Op next = Mapped::run(file, {.verb = Verb::read, .page = 1});
  if (!t.holds(next.result == Errc::truncated)) {
    t.fail({.expected = "the next read ends with truncated",
            .found = text_of(next.result, next.os_error),
            .cause = untold,
            .function = "Map::make"});
  }
}

}  // namespace

void cut_off_is_zeros_and_an_error(Test& t) {
  check_small_pages(t);
  Mapped machine(t, Mapped::setup_of(4, 2 * page_bytes));
  PageFile& file = machine.open(machine.options());
  machine.bench.raw_resize(0);
  machine.expect_zeros(file, 1, unguarded);
  expect_lost(t, machine, 2, "a look at all of a page of 8192 bytes: two pages of memory");
}

void grown_and_cut_off_too(Test& t) {
  Mapped machine(t);
  PageFile& file = machine.open(machine.options());
  const std::uint64_t pages = 100 + t.random().below(1000);
  const auto grown = file.resize(pages);
  if (!t.holds(grown.has_value())) {
    t.fail({.expected = fmt::format("resize to {} pages succeeds", pages),
            .found = grown.error().text(),
            .cause = "see test 2.4",
            .function = "reserve_bytes_of"});
  }
  machine.bench.raw_resize(0);
  machine.expect_zeros(file, pages - 1,
                       {"only the pages that were there at open are guarded: the guard must be as "
                        "long as the map",
                        "Map::make"});
  expect_lost(t, machine, 1, "a look at a page that was grown");
  expect_state(t, file, Errc::truncated, untold);
}

}  // namespace pagealloc::labs
