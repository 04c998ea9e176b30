// Tasks 3 and 4: how a map ends, and how many there are.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "labs/02_mmap/tests/mapped.h"
#include "labs/02_mmap/tests/tests.h"
#include "pagealloc/open.h"

namespace pagealloc::labs {

using conformance::Guard;
using conformance::Record;
using os::Call;

namespace {

/// Where in the log the map is taken away, with its whole length; log.size(): nowhere.
std::size_t unmapped_at(std::span<const Record> log, const Record& map) {
  const auto found = std::ranges::find_if(log, [&](const Record& each) {
    return each.call == Call::munmap && each.address == map.address && each.bytes == map.bytes &&
           each.result == 0;
  });
  return static_cast<std::size_t>(found - log.begin());
}

void check_unmapped(Test& t, Mapped& machine, const Record& map, std::string_view when) {
  const auto log = machine.bench.kernel.log();
  const std::size_t at = unmapped_at(log, map);
  if (!t.holds(at < log.size())) {
    t.fail({.expected = fmt::format("munmap of the map's {} bytes {}", map.bytes, when),
            .found = machine.bench.kernel.count(Call::munmap) == 0 ? "no munmap at all"
                                                                   : "no munmap of this range",
            .cause = "whoever makes a map takes it away, all of it: a map that stays keeps its "
                     "addresses for ever",
            .function = "Map::~Map",
            .evidence = machine.bench.calls()});
  }
  const auto guards = machine.bench.kernel.guards();
  const auto guard = std::ranges::find(guards, map.address, &Guard::address);
  const bool given_back = guard == guards.end() || guard->ended.has_value();
  if (!t.holds(given_back)) {
    t.fail({.expected = fmt::format("the guard of the map ends {}", when),
            .found = "it is still there",
            .cause = "each file that is closed keeps its place in the table of guarded ranges, "
                     "until no file can be opened any more",
            .function = "Map::~Map",
            .evidence = machine.evidence()});
  }
  const bool in_order = guard == guards.end() || guard->ended.value_or(0) <= at;
  if (!t.holds(in_order)) {
    t.fail({.expected = "unguard, then munmap",
            .found = "munmap, then unguard",
            .cause =
                "between the two the addresses may be somebody else's, and his SIGBUS would be "
                "hidden as yours",
            .function = "Map::~Map",
            .evidence = machine.evidence()});
  }
}

void open_and_close(Test& t, Mapped& machine, int round) {
  machine.bench.kernel.clear_log();
  auto file = open(bench_path, machine.options());
  if (!t.holds(file.has_value())) {
    t.fail({.expected = fmt::format("open number {} succeeds", round),
            .found = file.error().text(),
            .cause = "something of the files that were closed before is still held: the table of "
                     "guarded ranges has 256 places",
            .function = "Map::~Map",
            .evidence = machine.bench.calls()});
  }
  const Record map = machine.map();
  file->reset();
  check_unmapped(t, machine, map, "when the file is closed");
}

/// The kernel refuses one of the calls of Map::make: an error, and no map left.
void check_refusal(Test& t, Mapped& machine, const char* call, bool called = true) {
  Options options = machine.options();
  options.access = Access::random;
  auto file = open(bench_path, options);
  const bool told =
      !file && file.error().code == Errc::not_available && file.error().os_error == ENOMEM;
  if (!t.holds(told || !called)) {
    t.fail({.expected = fmt::format("open() fails when {} does: not_available, errno 12", call),
            .found = file ? "it opened" : file.error().text(),
            .cause = fmt::format("what {} answers was not looked at, or not passed on (Map::make "
                                 "is task 2: so are the hints)",
                                 call),
            .function = "Map::make",
            .evidence = machine.bench.calls()});
  }
  if (file) return;  // nothing is guarded at all: 2.7 says so
  const auto log = machine.bench.kernel.log();
  for (const Record& map : log) {
    const bool made =
        map.call == Call::mmap && (map.flags & MAP_ANONYMOUS) == 0 && map.address != nullptr;
    if (made && unmapped_at(log, map) == log.size()) {
      t.fail({.expected = fmt::format("what was mapped is gone again after {} failed", call),
              .found = "the map is still there",
              .cause = "the map must belong to an object that takes it away before the next call "
                       "can fail (Map::make is task 2: so are the hints)",
              .function = "Map::make",
              .evidence = machine.bench.calls()});
    }
  }
}

}  // namespace

void closed_leaves_nothing(Test& t) {
  constexpr int rounds = 300;  // the table of guarded ranges has 256 places
  constexpr int guarded_ranges = 256;
  Mapped machine(t);
  machine.bench.kernel.set_at_map({});  // more maps than touches can be counted in
  for (int round = 1; round <= rounds; ++round) open_and_close(t, machine, round);

  const bool guards = !machine.bench.kernel.guards().empty();  // if not, 2.7 says so
  machine.bench.kernel.clear_log();
  machine.bench.kernel.fail_next(Call::mmap, ENOMEM);
  check_refusal(t, machine, "mmap");
  machine.bench.kernel.clear_log();
  machine.bench.kernel.fail_next(Call::madvise, ENOMEM);
  check_refusal(t, machine, "madvise");
  machine.bench.kernel.clear_log();
  std::vector<std::byte> elsewhere(guarded_ranges);
  for (std::byte& place : elsewhere) (void)machine.bench.sim.guard(&place, 1, nullptr);
  check_refusal(t, machine, "guard", guards);
}

// --- Task 4 -------------------------------------------------------------------------------------

void all_handles_one_map(Test& t) {
  Mapped machine(t);
  PageFile& first = machine.open(machine.options());
  const Record map = machine.map();
  std::vector<PageFile*> others;
  t.expect_trouble(
      "an engine has no map: the map belongs to all of them, and each must keep its share of it");
  for (int i = 0; i < 3; ++i) others.push_back(&machine.another(first));
  t.expect_trouble("");
  const auto same = [&](PageFile* other) {
    return other->geometry().base == first.geometry().base;
  };
  if (!t.holds(machine.maps() == 1 && std::ranges::all_of(others, same))) {
    t.fail({.expected = "one mmap of the file for four handles, and one base",
            .found = machine.maps() == 1 ? "another base"
                                         : fmt::format("{} mmap of the file", machine.maps()),
            .cause = "each handle made a map of its own: four times the addresses and the page "
                     "faults, and four places in the table of guarded ranges",
            .function = "Engine::another",
            .evidence = machine.bench.calls()});
  }
  machine.close(first);
  if (!t.holds(unmapped_at(machine.bench.kernel.log(), map) == machine.bench.kernel.log().size())) {
    t.fail({.expected = "the map stays while a handle reads through it",
            .found = "munmap when the first of four handles was closed",
            .cause = "the handles share the map, and the last one takes it away",
            .function = "Engine::another",
            .evidence = machine.bench.calls()});
  }
  for (PageFile* other : others) {
    machine.expect_page(*other, t.random().below(8), 0,
                        {"the map went away with another handle", "Engine::another"});
  }
  for (PageFile* other : others) machine.close(*other);
  check_unmapped(t, machine, map, "with the last handle");
}

}  // namespace pagealloc::labs
