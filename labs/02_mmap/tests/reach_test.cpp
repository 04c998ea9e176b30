// Task 2: how far the map reaches.
#include <fmt/format.h>

#include "labs/02_mmap/tests/mapped.h"
#include "labs/02_mmap/tests/tests.h"

namespace pagealloc::labs {

using conformance::Record;
using os::Call;

namespace {

constexpr std::uint64_t page_bytes = 4096;
constexpr std::uint64_t grown_pages = 3000;

void check_length(Test& t, Mapped& machine, std::uint64_t least_bytes, std::uint64_t most_bytes,
                  const char* cause) {
  const std::uint64_t found = machine.map().bytes;
  if (t.holds(found >= least_bytes && found <= most_bytes)) return;
  t.fail({.expected = fmt::format("a map of {} bytes{}", least_bytes,
                                  most_bytes == UINT64_MAX ? " or more" : ""),
          .found = fmt::format("{} bytes", found),
          .cause = cause,
          .function = "reserve_bytes_of",
          .evidence = machine.bench.calls()});
}

void grow(Test& t, Mapped& machine, PageFile& file, std::uint64_t pages) {
  const auto grown = file.resize(pages);
  if (t.holds(grown.has_value())) return;
  const bool long_enough = machine.map().bytes >= pages * page_bytes;
  t.fail({.expected = fmt::format("resize to {} pages succeeds", pages),
          .found = grown.error().text(),
          .cause = long_enough ? "the map is long enough, and SharedFile was told another length "
                                 "(SharedFile::limit)"
                               : "the map ends too early: a map is reserved for what the file may "
                                 "become, not for what it is",
          .function = long_enough ? "Map::make" : "reserve_bytes_of",
          .evidence = machine.bench.calls()});
}

}  // namespace

void growth_moves_nothing(Test& t) {
  constexpr std::uint64_t default_bytes = 64ULL << 30;
  Mapped machine(t);
  PageFile& file = machine.open(machine.options());
  check_length(t, machine, default_bytes, UINT64_MAX,
               "addresses cost nothing until they are touched: where the options say nothing, the "
               "handout asks for 64 GiB or twice the file, whichever is more");
  const PageId kept = t.random().below(8);
  const std::byte* const base = file.geometry().base;
  const Op op = Mapped::run(file, {.verb = Verb::read, .page = kept});
  grow(t, machine, file, grown_pages);
  const bool moved = file.geometry().base != base || op.frame != file.peek(kept);
  if (!t.holds(!moved)) {
    t.fail({.expected = "the base and the frames that are lent stay where they are",
            .found = "they have moved",
            .cause = "the map may be made once; growing makes more of it valid",
            .function = "Map::make"});
  }
  machine.expect_page(file, kept, 0, {"a page that was lent has changed", "Map::make"});
  machine.bench.raw_write(grown_pages - 1, 1);
  machine.expect_page(file, grown_pages - 1, 1,
                      {"the map does not reach as far as the file has grown", "reserve_bytes_of"});
}

void growth_beyond_is_refused(Test& t) {
  constexpr std::uint64_t reserve_pages = 256;
  Mapped machine(t);
  Options options = machine.options();
  options.map_reserve_bytes = reserve_pages * page_bytes;
  PageFile& file = machine.open(options);
  check_length(t, machine, reserve_pages * page_bytes, reserve_pages * page_bytes,
               "map_reserve_bytes was given, and is not what was mapped");
  grow(t, machine, file, reserve_pages);
  machine.bench.kernel.clear_log();
  const auto grown = file.resize(reserve_pages + 1);
  if (!t.holds(!grown.has_value() && grown.error().code == Errc::bad_argument)) {
    t.fail({.expected = fmt::format("resize to {} pages is refused (bad_argument): {} bytes are "
                                    "mapped, which is {} pages",
                                    reserve_pages + 1, reserve_pages * page_bytes, reserve_pages),
            .found = grown ? fmt::format("it succeeded; peek({}) is an address behind the map",
                                         reserve_pages)
                           : grown.error().text(),
            .cause = "SharedFile refuses what does not fit, and nobody told it how long the map is "
                     "(SharedFile::limit)",
            .function = "Map::make",
            .evidence = machine.bench.calls()});
  }
  const bool called = machine.bench.kernel.count(Call::fallocate) != 0 ||
                      machine.bench.kernel.count(Call::ftruncate) != 0;
  if (!t.holds(file.pages() == reserve_pages && !called)) {
    t.fail({.expected = "a growth that is refused changes nothing",
            .found = fmt::format("{} pages", file.pages()),
            .cause = "the refusal came after the file had been changed",
            .function = "Map::make",
            .evidence = machine.bench.calls()});
  }
}

void reserve_covers_the_file(Test& t) {
  constexpr std::uint64_t pages = 512;
  Mapped large(t, Mapped::setup_of(pages));
  Options options = large.options();
  options.map_reserve_bytes = 1ULL << 20;
  PageFile& file = large.open(options);
  check_length(
      t, large, pages * page_bytes, UINT64_MAX,
      "the option is what its opener thought of, the file is what is there: the last pages "
      "have no address");
  large.expect_page(file, pages - 1, 0, {"the last page has no address", "reserve_bytes_of"});

  Mapped empty(t, Mapped::setup_of(0));
  PageFile& grown = empty.open(empty.options());
  grow(t, empty, grown, 8);
  empty.bench.raw_write(7, 1);
  empty.expect_page(grown, 7, 1, {"an empty file may grow, too", "reserve_bytes_of"});
}

}  // namespace pagealloc::labs
