// Task 5: which memory a write may use. SharedFile::admit() asks aligned(), before any call.
#include <fmt/format.h>

#include "labs/03_direct/tests/support.h"
#include "labs/03_direct/tests/tests.h"
#include "pagealloc/blocking.h"

namespace pagealloc::labs {

namespace {

const char* const function = "SharedFile::aligned";
constexpr PageId page = 1;

std::shared_ptr<SharedFile> shared(Test& t, const Bench& bench, Direct direct) {
  auto file = SharedFile::open(bench_path, bench.options(), direct);
  if (!t.holds(file.has_value())) {
    t.fail({.expected = fmt::format("the file can be opened ({})", text_of(direct)),
            .found = file.error().text(),
            .cause = "pages of 4096 bytes fit every alignment of this test",
            .function = "SharedFile::find_alignment"});
  }
  return *file;
}

Op write_from(std::byte* memory) { return {.verb = Verb::write, .page = page, .frame = memory}; }

/// What becomes of a write that nobody has refused.
std::string handed_over(Test& t, const char* where, const os::sim::Machine& machine,
                        std::size_t behind) {
  Bench bench(t, {.machine = machine});
  const auto file = shared(t, bench, Direct::require);
  Memory memory(2 * 4096);
  Op op = write_from(memory.data() + behind);
  const std::uint64_t begun_ns = bench.sim.now_ns();
  const auto outcome = blocking::execute(*file, op);
  const auto took_us = static_cast<double>(bench.sim.now_ns() - begun_ns) / 1000;
  file->settle(op, outcome.result, outcome.os_error);
  return fmt::format("  {:<38}{} after {:.1f} us{}\n", where, text_of(op.result, op.os_error),
                     took_us, file->failed() == Errc::ok ? "" : "; the file is poisoned");
}

/// The same write on file systems that differ.
std::string three_answers(Test& t, std::size_t behind) {
  return fmt::format(
             "a write of page {} from an address that is {} bytes behind a multiple of "
             "4096, handed to\n",
             page, behind) +
         handed_over(t, "a file system that takes any address", {.align_bytes = 1}, behind) +
         handed_over(t, "one that falls back to the page cache",
                     {.align_bytes = 4096, .buffers_misaligned = true}, behind) +
         handed_over(t, "one that refuses", {.align_bytes = 4096}, behind) +
         handed_over(t, "the last, from an aligned address", {.align_bytes = 4096}, 0) +
         "The second was quicker than the device: its bytes are in the page cache.\n";
}

void must_be_refused(Test& t, const SharedFile& file, Memory& memory, std::size_t behind,
                     const char* where) {
  const Errc found = file.admit(write_from(memory.data() + behind));
  if (t.holds(found == Errc::misaligned)) return;
  const std::uint32_t align = file.geometry().align_bytes;
  t.fail({.expected = fmt::format("misaligned: a write from an address that is {} bytes behind a "
                                  "multiple of {}, where {}",
                                  behind, align, where),
          .found = fmt::format("{}: it is handed to the kernel", name_of(found)),
          .cause = "the check is left to the kernel, and kernels differ: a misaligned O_DIRECT "
                   "\"can either fail with EINVAL or fall back to buffered I/O\" (open(2)). So on "
                   "one file system this is an unaligned O_DIRECT, silently buffered, and on the "
                   "next one a failed write, which poisons the file",
          .function = function,
          .evidence = three_answers(t, behind)});
}

void must_be_let_through(Test& t, const SharedFile& file, Memory& memory, std::size_t behind,
                         const char* where) {
  const Errc found = file.admit(write_from(memory.data() + behind));
  if (t.holds(found == Errc::ok)) return;
  t.fail({.expected = fmt::format("ok: a write from an address that is {} bytes behind a multiple "
                                  "of 4096, where {}",
                                  behind, where),
          .found = fmt::format("{}; geometry().align_bytes is {}", name_of(found),
                               file.geometry().align_bytes),
          .cause =
              "the rule is the file's alignment as geometry_ has it, neither the page size nor "
              "a number that one is used to",
          .function = function});
}

}  // namespace

void misaligned_is_refused(Test& t) {
  Memory memory(3 * 4096);
  const std::size_t odd = 1 + 2 * t.random().below(255);
  {
    Bench bench(t, {.machine = {.align_bytes = 512, .buffers_misaligned = true}});
    const auto file = shared(t, bench, Direct::require);
    bench.kernel.clear_log();
    for (const std::size_t behind : {odd, std::size_t{256}}) {
      must_be_refused(t, *file, memory, behind, "the file demands 512");
    }
    if (!t.holds(bench.kernel.log().empty())) {
      t.fail({.expected = "an answer without a system call",
              .found = "calls were made",
              .cause = "the address and geometry_ are all that is needed",
              .function = function,
              .evidence = bench.calls()});
    }
  }
  Bench bench(t, {.machine = {.align_bytes = 1}});
  bench.kernel.tell_no_alignment();
  const auto file = shared(t, bench, Direct::require);
  for (const std::size_t behind : {odd, std::size_t{512}, std::size_t{2048}}) {
    must_be_refused(t, *file, memory, behind, "the file does not tell, so that 4096 is assumed");
  }
}

void no_stricter_than_the_file(Test& t) {
  Memory memory(3 * 4096);
  const std::size_t sector = 512 * (1 + t.random().below(7));
  {
    Bench bench(t, {.machine = {.align_bytes = 512}});
    const auto file = shared(t, bench, Direct::require);
    must_be_let_through(t, *file, memory, 0, "the file demands 512");
    must_be_let_through(t, *file, memory, sector, "the file demands 512");
  }
  {
    Bench bench(t, {.machine = {.align_bytes = 4}});
    const auto file = shared(t, bench, Direct::require);
    must_be_let_through(t, *file, memory, 4, "the file demands 4");
  }
  Bench bench(t);
  const auto file = shared(t, bench, Direct::off);
  must_be_let_through(t, *file, memory, 1 + 2 * t.random().below(255),
                      "the file goes through the page cache");
}

}  // namespace pagealloc::labs
