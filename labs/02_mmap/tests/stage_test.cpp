// Task 5: where a page is filled.
#include <fmt/format.h>

#include "labs/02_mmap/tests/mapped.h"
#include "labs/02_mmap/tests/tests.h"

namespace pagealloc::labs {

namespace {

const Blame page_in_place = {"the address that was lent cannot be stored to",
                             "Engine::page_in_place"};

/// A frame of the handle's own, not the page.
std::byte* expect_frame(Test& t, Mapped& machine, PageFile& file, PageId page, const char* why,
                        const char* cause, const std::string& about = "") {
  std::byte* const frame = file.stage(page, 1);
  if (!t.holds(frame != nullptr && !machine.is_in_map(frame))) {
    t.fail(
        {.expected = fmt::format("stage({}, 1) lends a frame of the handle's own: {}", page, why),
         .found = frame == nullptr ? "nullptr" : "an address in the map",
         .cause = cause,
         .function = "Engine::page_in_place",
         .evidence = about + machine.bench.calls()});
  }
  return frame;
}

}  // namespace

void page_itself_is_lent(Test& t) {
  Mapped machine(t);
  PageFile& stores = machine.open(machine.options(WritePath::map));
  machine.touches.forget();
  for (PageId page = 0; page < 8; ++page) {
    const std::byte* const frame = machine.staged(stores, page, 1, page_in_place);
    if (!t.holds(frame == stores.peek(page))) {
      t.fail({.expected = fmt::format("stage({0}, 1) is the page itself, base + {0} * 4096", page),
              .found = machine.is_in_map(frame) ? "another address of the map"
                                                : "a frame of the handle's own",
              .cause = "on the map path the frame is the page, so that a write has nothing left to "
                       "do; this file has no holes, may be written and has not failed",
              .function = "Engine::page_in_place"});
    }
  }
  if (!t.holds(machine.touches.count() == 8)) {
    t.fail({.expected = "8 page faults for 8 pages that were filled",
            .found = fmt::format("{}", machine.touches.count()),
            .cause = "stage() is arithmetic; who stores makes the fault",
            .function = "Engine::page_in_place"});
  }
  machine.bench.kernel.clear_log();  // of three files the calls of one
  PageFile& writes = machine.open(machine.options(WritePath::pwrite));
  (void)expect_frame(
      t, machine, writes, 3, "this is the pwrite path",
      "the map is for reading on the pwrite path: the first store would be a SIGSEGV");
  Options options = machine.options(WritePath::map);
  options.read_only = true;
  machine.bench.kernel.clear_log();
  PageFile& reader = machine.open(options);
  (void)expect_frame(t, machine, reader, 3, "the file was opened for reading",
                     "the map of a file that was opened for reading has no PROT_WRITE: the first "
                     "store would be a SIGSEGV, where the write would have said read_only");
}

void no_store_into_a_hole(Test& t) {
  const PageId hole = t.random().below(8);
  Bench::Setup setup = Mapped::setup_of(8);
  os::sim::FileImage image = file_of(8);
  image.allocated[hole] = false;
  std::fill_n(image.bytes.begin() + static_cast<std::ptrdiff_t>(hole * 4096), 4096, std::byte{0});
  setup.machine.image.files[bench_path] = image;
  Mapped machine(t, setup);
  PageFile& file = machine.open(machine.options(WritePath::map));
  (void)expect_frame(
      t, machine, file, hole, "the page is a hole",
      "a store into a hole needs a block, and on a full disk there is none: it would "
      "be a SIGBUS, where a write can still say \"disk full\" (SharedFile::sparse)",
      fmt::format(
          "the file of this test: 8 pages, and page {} never got a block; open() found that "
          "out, and sparse() says true\n",
          hole));
  machine.bench.kernel.clear_log();
  PageFile& whole = [&]() -> PageFile& {
    machine.bench.raw_write(hole, 1);
    return machine.open(machine.options(WritePath::map));
  }();
  if (!t.holds(whole.stage(hole, 1) == whole.peek(hole))) {
    t.fail({.expected = "the same page is lent in place once the file has no hole",
            .found = "a frame of the handle's own",
            .cause = "whether there are holes is asked of the file, not of the page's bytes",
            .function = "Engine::page_in_place"});
  }
}

void no_store_after_a_failure(Test& t) {
  Mapped machine(t);
  PageFile& file = machine.open(machine.options(WritePath::map));
  const PageId page = t.random().below(4);
  machine.bench.raw_resize(std::uint64_t{4} * 4096);
  machine.expect_zeros(file, 6, {"see test 2.7", "Map::make"});
  const char* const cause =
      "the write will be refused, for the file has failed, and by then the stores would be in the "
      "file: a refusal cannot take a store back";
  std::byte* const frame =
      expect_frame(t, machine, file, page, "the file was found cut off (truncated)", cause);
  (void)machine.touches.store(frame, pattern(page, 1));
  const Op op = Mapped::run(file, {.verb = Verb::write, .page = page, .frame = frame});
  if (!t.holds(op.result == Errc::truncated)) {
    t.fail({.expected = "a write into a file that was cut off ends with truncated",
            .found = text_of(op.result, op.os_error),
            .cause = "SharedFile refuses it, if it knows: see test 2.7",
            .function = "Map::make"});
  }
  machine.expect_in_file(page, 0, {cause, "Engine::page_in_place"});
}

}  // namespace pagealloc::labs
