#include "labs/02_mmap/tests/mapped.h"

#include <fmt/format.h>

#include <algorithm>

#include "pagealloc/open.h"

namespace pagealloc::labs {

using conformance::Record;
using os::Call;

namespace {

bool maps_a_file(const Record& record) {
  return record.call == Call::mmap && (record.flags & MAP_ANONYMOUS) == 0;
}

}  // namespace

Bench::Setup Mapped::setup_of(std::uint64_t pages, std::uint32_t page_bytes) {
  Bench::Setup setup;
  setup.pages = pages;
  setup.page_bytes = page_bytes;
  setup.impl = "mmap";
  return setup;
}

Bench::Setup Mapped::setup_with_hole(std::uint64_t pages, PageId hole) {
  Bench::Setup setup = setup_of(pages);
  os::sim::FileImage file = file_of(pages, setup.page_bytes);
  const auto first = file.bytes.begin() + static_cast<std::ptrdiff_t>(hole * setup.page_bytes);
  std::fill_n(first, setup.page_bytes, std::byte{0});
  file.allocated[hole] = false;
  setup.machine.image.files[bench_path] = std::move(file);
  return setup;
}

Mapped::Mapped(Test& the_test, Bench::Setup setup)
    : t(the_test),
      bench(the_test, std::move(setup)),
      files_(*new std::vector<std::unique_ptr<PageFile>>) {
  bench.kernel.set_at_map(
      [this](const Record& map) { touches.watch(map.address, map.bytes, map.protection); });
}

Options Mapped::options(WritePath write_path) const {
  Options options = bench.options();
  options.write_path = write_path;
  return options;
}

PageFile& Mapped::open(const Options& options) {
  auto file = pagealloc::open(bench_path, options);
  if (!t.holds(file.has_value())) {
    t.fail({.expected = fmt::format("open() of a file of {} bytes succeeds", bench.raw_bytes()),
            .found = file.error().text(),
            .cause = "one of the three calls of Map::make was refused: their arguments are in "
                     "the list of calls",
            .function = "Map::make",
            .evidence = bench.calls()});
  }
  return *files_.emplace_back(std::move(*file));
}

PageFile& Mapped::another(PageFile& file) {
  auto made = file.another();
  if (!t.holds(made.has_value())) {
    t.fail({.expected = "another() makes a handle",
            .found = made.error().text(),
            .cause = "another engine needs the shared file and the map, and both are there",
            .function = "Engine::another",
            .evidence = bench.calls()});
  }
  return *files_.emplace_back(std::move(*made));
}

void Mapped::close(PageFile& file) {
  const auto found = std::ranges::find(files_, &file, &std::unique_ptr<PageFile>::get);
  files_.erase(found);
}

std::size_t Mapped::maps() const {
  const auto log = bench.kernel.log();
  return static_cast<std::size_t>(std::ranges::count_if(log, maps_a_file));
}

Record Mapped::map() {
  const auto log = bench.kernel.log();
  if (!t.holds(maps() == 1)) {
    t.fail({.expected = "one mmap of the file",
            .found = fmt::format("{}", maps()),
            .cause = "all that is read comes from one map of the file, made at open",
            .function = "Map::make",
            .evidence = bench.calls()});
  }
  return *std::ranges::find_if(log, maps_a_file);
}

bool Mapped::is_in_map(const std::byte* address) const {
  const auto log = bench.kernel.log();
  return std::ranges::any_of(log, [&](const Record& each) {
    return maps_a_file(each) && each.address != nullptr && address >= each.address &&
           address < each.address + each.bytes;
  });
}

std::uint32_t Mapped::lost_pages() const {
  std::uint32_t lost = 0;
  for (const auto& guard : bench.kernel.guards()) {
    if (!guard.ended && guard.faults != nullptr) lost += guard.faults->count;
  }
  return lost;
}

// What is guarded is no system call and so not in the log, but the end of a guard has its place
// there.
std::string Mapped::evidence() const {
  const auto log = bench.kernel.log();
  const auto guards = bench.kernel.guards();
  const std::string calls = text_of(log);
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < calls.size();) {
    const std::size_t end = calls.find('\n', at) + 1;
    lines.push_back(calls.substr(at, end - at));
    at = end;
  }
  const bool whole = lines.size() == log.size();  // a long list has lost its middle
  std::string text;
  for (std::size_t i = 0; i <= lines.size(); ++i) {
    for (const auto& guard : guards) {
      if (whole && guard.ended == i) text += "unguard(the map)\n";
    }
    if (i < lines.size()) text += lines[i];
  }
  for (const auto& guard : guards) {
    text += fmt::format("guarded: {} bytes of a map, {}\n", guard.bytes,
                        guard.ended ? "no longer" : "still");
  }
  if (guards.empty()) text += "guarded: nothing\n";
  return text;
}

// --- Looking ------------------------------------------------------------------------------------

std::string Mapped::text_of_bytes(PageId page, std::span<const std::byte> bytes) const {
  if (const auto version = bench.version_of(page, bytes))
    return fmt::format("version {}", *version);
  const bool zeros = std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
  return bytes.empty() ? "no such page" : zeros ? "zeros" : "other bytes, see below";
}

std::vector<std::byte> Mapped::seen(PageFile& file, PageId page, const Blame& blame) {
  const std::size_t bytes = file.geometry().page_bytes;
  auto seen = touches.look(file.peek(page), bytes);
  if (!t.holds(seen.has_value())) {
    t.fail({.expected = fmt::format("page {} can be looked at; the process goes on", page),
            .found = fmt::format("{}, which ends the process", touches.signal()),
            .cause = blame.cause,
            .function = blame.function,
            .evidence = evidence()});
  }
  return *seen;
}

void Mapped::expect_page(PageFile& file, PageId page, std::uint64_t version, const Blame& blame) {
  const auto found = seen(file, page, blame);
  if (t.holds(found == pattern(page, version, found.size()))) return;
  t.fail({.expected = fmt::format("page {} in the map is version {}", page, version),
          .found = text_of_bytes(page, found),
          .cause = blame.cause,
          .function = blame.function,
          .evidence = picture_of(page, found, version, std::vector<std::uint64_t>{0, 1, 2})});
}

void Mapped::expect_zeros(PageFile& file, PageId page, const Blame& blame) {
  const auto found = seen(file, page, blame);
  const bool zeros = std::ranges::all_of(found, [](std::byte b) { return b == std::byte{0}; });
  if (t.holds(zeros)) return;
  t.fail({.expected = fmt::format("page {}, which is not there any more, reads as zeros", page),
          .found = text_of_bytes(page, found),
          .cause = blame.cause,
          .function = blame.function,
          .evidence = picture_of(page, found, 0, std::vector<std::uint64_t>{1})});
}

void Mapped::expect_in_file(PageId page, std::uint64_t version, const Blame& blame) {
  const auto found = bench.raw_read(page);
  if (t.holds(bench.version_of(page, found) == version)) return;
  t.fail({.expected = fmt::format("page {} of the file, read by somebody else, is version {}", page,
                                  version),
          .found = text_of_bytes(page, found),
          .cause = blame.cause,
          .function = blame.function,
          .evidence = picture_of(page, found, version, std::vector<std::uint64_t>{0, 1, 2}) + "\n" +
                      (bench.kernel.log().empty()
                           ? "no system call was made, which is right where pages are stored to\n"
                           : bench.calls())});
}

// --- Operations ---------------------------------------------------------------------------------

Op Mapped::run(PageFile& file, Op op) {
  Op* const batch[] = {&op};
  Op* done[1] = {};
  (void)file.submit(batch);
  (void)file.reap(done, 1);
  return op;
}

std::byte* Mapped::staged(PageFile& file, PageId page, std::uint64_t version, const Blame& blame) {
  std::byte* const frame = file.stage(page, 1);
  const std::size_t bytes = file.geometry().page_bytes;
  const bool stored = frame != nullptr && touches.store(frame, pattern(page, version, bytes));
  if (!t.holds(stored)) {
    t.fail({.expected = fmt::format("stage({}, 1) lends memory that can be stored to", page),
            .found = frame == nullptr ? "nullptr"
                                      : fmt::format("{} at the first store, which ends the "
                                                    "process",
                                                    touches.signal()),
            .cause = blame.cause,
            .function = blame.function,
            .evidence = bench.calls()});
  }
  return frame;
}

void Mapped::write(PageFile& file, PageId page, std::uint64_t version) {
  std::byte* const frame = staged(
      file, page, version,
      {"the address of a page was lent, and it cannot be stored to", "Engine::page_in_place"});
  const Op op = run(file, {.verb = Verb::write, .page = page, .frame = frame});
  if (t.holds(op.result == Errc::ok)) return;
  t.fail({.expected = fmt::format("the write of page {} ends with ok", page),
          .found = text_of(op.result, op.os_error),
          .cause = "nothing went wrong here, and the write says that something did",
          .function = "Engine::write",
          .evidence = bench.calls()});
}

void Mapped::sync(PageFile& file, const Blame& blame) {
  const Op op = run(file, {.verb = Verb::sync});
  if (t.holds(op.result == Errc::ok)) return;
  t.fail({.expected = "the sync ends with ok",
          .found = text_of(op.result, op.os_error),
          .cause = blame.cause,
          .function = blame.function,
          .evidence = bench.calls()});
}

void Mapped::fail_next_sync(int os_error) {
  bench.kernel.fail_next(Call::msync, os_error);
  bench.kernel.fail_next(Call::fdatasync, os_error);
}

}  // namespace pagealloc::labs
