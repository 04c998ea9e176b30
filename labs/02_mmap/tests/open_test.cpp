// Tasks 1 and 2: what is refused, and what open() asks of the kernel.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "labs/02_mmap/tests/mapped.h"
#include "labs/02_mmap/tests/tests.h"
#include "pagealloc/open.h"

namespace pagealloc::labs {

using conformance::Record;
using os::Call;

namespace {

struct Refused {
  const char* name;
  WritePath write_path;
  bool write_through;
  std::optional<Direct> direct;
  const char* cause;
};

constexpr const char* directory = "/d";

/// The path is a directory. Who lets the options through meets that before anything else, and
/// before any function of another lab.
void check_refused(Test& t, Mapped& machine, const Refused& each) {
  Options options = machine.options(each.write_path);
  options.create = true;
  options.write_through = each.write_through;
  options.direct = each.direct;
  machine.bench.kernel.clear_log();
  const std::uint64_t before = machine.bench.sim.calls().total();
  const auto file = open(directory, options);
  const bool refused = !file.has_value() && file.error().code == Errc::bad_argument;
  if (!t.holds(refused)) {
    const bool let_through = file || file.error().code == Errc::not_page_file;
    t.fail({.expected =
                fmt::format("open() refuses {} with bad_argument, whatever the path is", each.name),
            .found = let_through ? fmt::format("it was let through: the kernel was asked for the "
                                               "path, {} (which is a directory in this test)",
                                               directory)
                                 : file.error().text(),
            .cause = each.cause,
            .function = "check",
            .evidence = machine.bench.calls()});
  }
  if (!t.holds(!file.error().cause.empty() && file.error().path == directory)) {
    t.fail(
        {.expected = fmt::format("the refusal of {} names the file and says why", each.name),
         .found = fmt::format("path \"{}\", cause \"{}\"", file.error().path, file.error().cause),
         .cause = "an Error is read by people: path and cause must be filled in",
         .function = "check"});
  }
  const std::uint64_t calls = machine.bench.sim.calls().total() - before;
  if (!t.holds(calls == 0)) {
    t.fail({.expected = fmt::format("{} is refused without a system call", each.name),
            .found = fmt::format("{} calls were made", calls),
            .cause = "the options alone tell, so the path need not be looked at",
            .function = "check",
            .evidence = machine.bench.calls()});
  }
}

}  // namespace

void what_a_map_cannot_do_is_refused(Test& t) {
  Mapped machine(t);
  machine.bench.kernel.log_all(true);
  const char* const no_cache =
      "O_DIRECT passes by the page cache, and a map is the page cache: what was asked for cannot "
      "be had, and \"attempt\" would be told that it was";
  const Refused all[] = {
      {"write-through on the map path",
       WritePath::map,
       true,
       {},
       "O_DSYNC covers write calls, and a store into a map makes none: the file would say that "
       "reaped means durable, and nobody would keep that"},
      {"direct = require on the pwrite path", WritePath::pwrite, false, Direct::require, no_cache},
      {"direct = require on the map path", WritePath::map, false, Direct::require, no_cache},
      {"direct = attempt on the map path", WritePath::map, false, Direct::attempt, no_cache},
      {"direct = attempt on the pwrite path", WritePath::pwrite, false, Direct::attempt, no_cache},
  };
  for (const Refused& each : all) check_refused(t, machine, each);
  // What is no contradiction is not refused.
  Options options = machine.options(WritePath::pwrite);
  options.write_through = true;
  options.direct = Direct::off;
  const auto file = open("/d/none.pa", options);
  if (!t.holds(!file.has_value() && file.error().code == Errc::cannot_open)) {
    t.fail({.expected = "write-through on the pwrite path, with direct = off, is let through: the "
                        "file is not there, so cannot_open",
            .found = file ? "it opened" : file.error().text(),
            .cause = "more was refused than cannot be kept: pwritev does what O_DSYNC asks",
            .function = "check"});
  }
}

// --- One map ------------------------------------------------------------------------------------

namespace {

std::string rights_of(int protection) {
  if (protection == PROT_READ) return "PROT_READ";
  return protection == (PROT_READ | PROT_WRITE) ? "PROT_READ|PROT_WRITE"
                                                : fmt::format("protection {}", protection);
}

struct Rights {
  WritePath write_path;
  bool read_only;
  int protection;
  const char* name;
};

/// Looks at the arguments alone: a private map of 64 GiB may be refused by the host.
void check_map(Test& t, Mapped& machine, const Rights& each) {
  const Record map = machine.map();
  if (!t.holds((map.flags & MAP_TYPE) != MAP_PRIVATE)) {
    t.fail({.expected = "the map is MAP_SHARED",
            .found = text_of_map(map.protection, map.flags),
            .cause = "a private map keeps its stores to itself: nobody else sees them, and no sync "
                     "writes them",
            .function = "Map::make",
            .evidence = machine.bench.calls()});
  }
  if (!t.holds((map.flags & MAP_FIXED) == 0 && map.offset == 0)) {
    t.fail(
        {.expected = "a map from the file's first byte, where the kernel puts it",
         .found = fmt::format("{}, offset {}", text_of_map(map.protection, map.flags), map.offset),
         .cause = "page i must lie at base + i * page_bytes, and MAP_FIXED takes away what was "
                  "mapped at that address before",
         .function = "Map::make",
         .evidence = machine.bench.calls()});
  }
  if (!t.holds(map.protection == each.protection)) {
    t.fail({.expected = fmt::format("{} for {}", rights_of(each.protection), each.name),
            .found = rights_of(map.protection),
            .cause = each.protection == PROT_READ
                         ? "a map that nobody stores into is for reading: a stray store then ends "
                           "the process, where it would have damaged a page. And Linux refuses a "
                           "writable map of a file that was opened for reading (EACCES)"
                         : "on the map path stores are the writes, and they need PROT_WRITE",
            .function = "Map::make",
            .evidence = machine.bench.calls()});
  }
}

/// Like Mapped::open, and looks at the map's arguments first.
PageFile& open_with(Test& t, Mapped& machine, const Rights& each) {
  Options options = machine.options(each.write_path);
  options.read_only = each.read_only;
  machine.bench.kernel.clear_log();
  auto file = open(bench_path, options);
  check_map(t, machine, each);
  if (!t.holds(file.has_value())) {
    t.fail({.expected = fmt::format("open() succeeds for {}", each.name),
            .found = file.error().text(),
            .cause = "one of the three calls of Map::make was refused",
            .function = "Map::make",
            .evidence = machine.bench.calls()});
  }
  return *file->release();
}

}  // namespace

void one_shared_map(Test& t) {
  Mapped machine(t);
  const Rights all[] = {
      {WritePath::pwrite, false, PROT_READ, "the pwrite path"},
      {WritePath::map, false, PROT_READ | PROT_WRITE, "the map path"},
      {WritePath::map, true, PROT_READ, "a file opened for reading"},
      {WritePath::pwrite, true, PROT_READ, "a file opened for reading"},
  };
  for (const Rights& each : all) {
    PageFile& file = open_with(t, machine, each);
    if (!t.holds(file.geometry().base == machine.map().address)) {
      t.fail({.expected = "geometry().base is the address that mmap gave",
              .found = "another address",
              .cause = "the map's base is what mmap answered, not a place inside it",
              .function = "Map::make"});
    }
    for (PageId page = 0; page < 8; ++page) {
      machine.expect_page(file, page, 0,
                          {"the map does not show the file from its beginning", "Map::make"});
    }
  }
}

// --- What it costs ------------------------------------------------------------------------------

namespace {

void check_no_warming(Test& t, Mapped& machine) {
  const std::size_t touched = machine.touches.count();
  if (!t.holds(touched == 0)) {
    t.fail({.expected = "open() touches no page: 0 page faults",
            .found = fmt::format("{} page faults", touched),
            .cause = "the map was read to warm it up: a file of 100 GB would be read from end to "
                     "end before its first page is asked for",
            .function = "Map::make",
            .evidence = machine.bench.calls()});
  }
  const Record map = machine.map();
  if (!t.holds((map.flags & (MAP_POPULATE | MAP_LOCKED)) == 0)) {
    t.fail(
        {.expected = "a map without MAP_POPULATE and MAP_LOCKED",
         .found = text_of_map(map.protection, map.flags),
         .cause = "both bring in the whole file at once; a map costs nothing until it is touched",
         .function = "Map::make",
         .evidence = machine.bench.calls()});
  }
  const auto advice = machine.bench.calls_of(Call::madvise);
  const bool reads = std::ranges::any_of(advice, [](const Record& each) {
    return each.flags == MADV_WILLNEED || each.flags == MADV_POPULATE_READ ||
           each.flags == MADV_POPULATE_WRITE;
  });
  if (!t.holds(!reads)) {
    t.fail({.expected = "advice about how the file will be read",
            .found = "advice that reads it now",
            .cause = "MADV_WILLNEED and MADV_POPULATE bring pages in at once",
            .function = "Map::make",
            .evidence = machine.bench.calls()});
  }
}

}  // namespace

void opening_reads_nothing(Test& t) {
  Mapped machine(t);
  PageFile& file = machine.open(machine.options());
  check_no_warming(t, machine);
  machine.bench.kernel.clear_log();
  const std::uint64_t before = machine.bench.sim.calls().total();
  std::array<Op, 8> ops;
  std::array<Op*, 8> batch;
  for (PageId page = 0; page < 8; ++page) {
    ops[page] = {.verb = Verb::read, .page = page};
    batch[page] = &ops[page];
  }
  (void)file.submit(batch);
  (void)file.reap(batch, 8);
  const std::uint64_t calls = machine.bench.sim.calls().total() - before;
  const std::size_t touched = machine.touches.count();
  if (!t.holds(calls == 0 && touched == 0)) {
    t.fail({.expected = "eight reads are 0 system calls and 0 page faults",
            .found = fmt::format("{} system calls and {} page faults", calls, touched),
            .cause = "a read lends base + i * page_bytes; whoever looks there reads",
            .function = "Map::make",
            .evidence = machine.bench.calls()});
  }
  for (const int look : {1, 2}) {
    for (PageId page = 0; page < 8; ++page) {
      machine.expect_page(file, page, 0, {"the address lent is not the page's", "Map::make"});
    }
    if (!t.holds(machine.touches.count() == 8)) {
      t.fail({.expected = fmt::format("8 page faults after each page was looked at {} times", look),
              .found = fmt::format("{}", machine.touches.count()),
              .cause = "the first touch of a page is a fault, the second is a load like any other",
              .function = "Map::make"});
    }
  }
}

void advice_covers_the_range(Test& t) {
  Mapped machine(t);
  struct Case {
    Access access;
    int advice;
    const char* name;
  };
  const Case all[] = {{Access::random, MADV_RANDOM, "MADV_RANDOM"},
                      {Access::sequential, MADV_SEQUENTIAL, "MADV_SEQUENTIAL"},
                      {Access::normal, MADV_NORMAL, "MADV_NORMAL"}};
  for (const Case& each : all) {
    Options options = machine.options();
    options.access = each.access;
    machine.bench.kernel.clear_log();
    (void)machine.open(options);
    const Record map = machine.map();
    auto given = machine.bench.calls_of(Call::madvise);
    std::erase_if(given, [](const Record& one) { return one.flags > MADV_SEQUENTIAL; });
    const Record advice = given.empty() ? Record{.call = Call::madvise} : given.back();
    const bool none = given.empty() && each.advice == MADV_NORMAL;
    if (!t.holds(none || (!given.empty() && advice.flags == each.advice))) {
      t.fail(
          {.expected = fmt::format("advice {}", each.name),
           .found =
               given.empty() ? "no advice about the reads to come" : "other advice, see the calls",
           .cause = "Options::access says how the file will be read; the kernel reads ahead by it",
           .function = "Map::make",
           .evidence = machine.bench.calls()});
    }
    const bool whole = advice.address == map.address && advice.bytes == map.bytes;
    if (!t.holds(none || whole)) {
      t.fail({.expected = fmt::format("{} for {} bytes, the whole map", each.name, map.bytes),
              .found = fmt::format("{} for {} bytes", each.name, advice.bytes),
              .cause = "the advice ends where the file ended at open; what it grows by is read as "
                       "if nothing had been said",
              .function = "Map::make",
              .evidence = machine.bench.calls()});
    }
  }
}

}  // namespace pagealloc::labs
