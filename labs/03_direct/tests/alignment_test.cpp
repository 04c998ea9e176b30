// Task 3: what O_DIRECT demands in return.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "labs/03_direct/tests/support.h"
#include "labs/03_direct/tests/tests.h"

namespace pagealloc::labs {

namespace {

using Told = conformance::TestKernel::Alignment;

const char* const function = "SharedFile::find_alignment";

/// geometry().align_bytes of the bench's file, opened with require; what geometry().direct must be.
std::uint32_t alignment_found(Test& t, Bench& bench, const std::string& why_it_opens) {
  bench.kernel.log_all(true);
  const auto file =
      opened(t, bench, direct_options(bench, Direct::require), function, why_it_opens);
  if (!t.holds(file->geometry().direct)) {
    t.fail({.expected = "geometry().direct is true: O_DIRECT was asked for and granted",
            .found = "false",
            .cause = "geometry_.direct says what was got; open_descriptor() knows it when the call "
                     "has answered",
            .function = "SharedFile::open_descriptor",
            .evidence = bench.calls()});
  }
  return file->geometry().align_bytes;
}

/// Was the kernel asked for the alignment? Of statx the log has the mask.
bool asked_for_alignment(const Bench& bench) {
  return std::ranges::any_of(bench.calls_of(os::Call::statx), [](const auto& record) {
    return (static_cast<unsigned>(record.flags) & STATX_DIOALIGN) != 0;
  });
}

const char* const division =
    "SIGFPE is a division by 0: `%` with a field of statx's answer that means nothing. It means "
    "something when STATX_DIOALIGN was in the mask of the question and is in the mask of the "
    "answer";

Bench bench_of(Test& t, std::uint32_t align_bytes, std::uint32_t page_bytes = 4096) {
  return Bench(t, {.page_bytes = page_bytes, .machine = {.align_bytes = align_bytes}});
}

}  // namespace

void alignment_is_the_files(Test& t) {
  t.expect_trouble(division);
  for (const std::uint32_t told : {512U, 1024U, 4096U}) {
    Bench bench = bench_of(t, told);
    const auto found =
        alignment_found(t, bench, fmt::format("pages of 4096 bytes fit an alignment of {}", told));
    if (t.holds(found == told)) continue;
    t.fail({.expected = fmt::format("align_bytes is {}, as this file system tells", told),
            .found = fmt::format("{}", found),
            .cause = !asked_for_alignment(bench)
                         ? "statx() was asked for something else and tells nothing of alignments: "
                           "STATX_DIOALIGN must be in the mask of the question"
                     : found == 1 ? "nobody noted the answer: geometry_.align_bytes is still what "
                                    "it is for the page cache"
                                  : "statx() was asked with STATX_DIOALIGN and has told; a number "
                                    "was assumed all the same: memory that would do is refused, "
                                    "or memory that will not is let through",
            .function = function,
            .evidence = bench.calls()});
  }
}

namespace {

/// A call that has failed tells nothing, and it does not say that nobody tells either.
void failed_is_no_silence(Test& t) {
  Bench bench = bench_of(t, 512);
  bench.kernel.log_all(true);
  bench.kernel.fail_next(os::Call::statx, EIO, 2);  // after those of check_kind() and measure()
  const auto file = pagealloc::open(bench_path, direct_options(bench, Direct::require));
  const bool passed_on = !file && file.error().code == Errc::io && file.error().os_error == EIO;
  if (t.holds(passed_on)) return;
  t.fail({.expected = "the statx that asks for the alignment fails with EIO, and open() with it: "
                      "io, errno 5",
          .found = file ? fmt::format("the file was opened, align_bytes {}",
                                      (*file)->geometry().align_bytes)
                        : fmt::format("{}: {}", name_of(file.error().code), file.error().text()),
          .cause = "the result of the call was not looked at. A call that has failed has filled in "
                   "nothing: neither its mask nor its fields mean anything, and silence is not "
                   "what they say",
          .function = function,
          .evidence = bench.calls()});
}

}  // namespace

void silence_means_4096(Test& t) {
  t.expect_trouble(division);
  for (const std::uint32_t truth : {512U, 4096U}) {
    Bench bench = bench_of(t, truth);
    bench.kernel.tell_no_alignment();
    const auto found = alignment_found(
        t, bench,
        "the mask of statx's answer has no STATX_DIOALIGN: this kernel or file system does not "
        "tell, and the two fields mean nothing. That is no refusal");
    if (t.holds(found == 4096)) continue;
    t.fail({.expected = "align_bytes is 4096, because this file system does not tell",
            .found = fmt::format("{}", found),
            .cause = "the fields were used although the mask of the answer says that they mean "
                     "nothing, or less was assumed than every disk takes",
            .function = function,
            .evidence = bench.calls()});
  }
  failed_is_no_silence(t);
}

void larger_of_two(Test& t) {
  struct Case {
    Told told;
    std::uint32_t expected;
  };
  constexpr Case cases[] = {{{512, 4096}, 4096}, {{4096, 512}, 4096}, {{4, 512}, 512}};
  for (const Case& each : cases) {
    Bench bench = bench_of(t, 1);
    bench.kernel.tell_alignment(each.told);
    const auto found = alignment_found(t, bench, "pages of 4096 bytes fit both numbers");
    if (t.holds(found == each.expected)) continue;
    t.fail({.expected = fmt::format("align_bytes is {}, the larger of {} (memory) and {} (offset)",
                                    each.expected, each.told.memory_bytes, each.told.offset_bytes),
            .found = fmt::format("{}", found),
            .cause = "one of the two was left out. A frame's address and its page's offset go into "
                     "one call, and there is one align_bytes for both",
            .function = function});
  }
}

namespace {

/// Pages that do not fit what is demanded of them.
struct Misfit {
  std::uint32_t page_bytes;
  std::uint32_t align_bytes;
  bool tells;         ///< else 4096 is assumed
  const char* cause;  ///< why it may not be opened with O_DIRECT
};

void must_not_open(Test& t, const Misfit& misfit, bool create) {
  const auto [page_bytes, align_bytes, tells, why] = misfit;
  Bench bench = bench_of(t, 4096, page_bytes);
  bench.kernel.log_all(true);
  if (tells) bench.kernel.tell_alignment({align_bytes, align_bytes});
  if (!tells) bench.kernel.tell_no_alignment();
  Options options = direct_options(bench, Direct::require);
  options.create = create;
  const char* const path = create ? new_path : bench_path;
  const auto file = pagealloc::open(path, options);
  const std::string expected = fmt::format(
      "not_available: pages of {} bytes do not fit a file that {} {} (direct = require)",
      page_bytes, tells ? "demands" : "does not tell, so that one assumes", align_bytes);
  const auto opens = opens_of(bench, path);
  const bool buffered = !opens.empty() && (opens.back().flags & O_DIRECT) == 0;
  if (!t.holds(!(file && buffered))) {
    t.fail({.expected = expected,
            .found = "the file was opened, and without O_DIRECT",
            .cause = "an unaligned O_DIRECT that is silently buffered: what did not fit was sent "
                     "through the page cache, and who had required O_DIRECT was not told",
            .function = function,
            .evidence = bench.calls()});
  }
  if (!t.holds(!file)) {
    t.fail({.expected = expected,
            .found = fmt::format("the file was opened with O_DIRECT, align_bytes {}",
                                 (*file)->geometry().align_bytes),
            .cause = fmt::format("{}. Some kernels answer such offsets with EINVAL, others carry "
                                 "them out through the page cache and say nothing; so it must be "
                                 "found at open",
                                 why),
            .function = function,
            .evidence = bench.calls()});
  }
  const Error& error = file.error();
  const auto names = [&](std::uint32_t number) {
    return error.cause.find(fmt::format("{}", number)) != std::string::npos;
  };
  const bool numbers = names(page_bytes) && names(align_bytes);
  if (!t.holds(error.code == Errc::not_available && numbers)) {
    t.fail({.expected = expected + "; the text has both numbers",
            .found = fmt::format("{}: {}", name_of(error.code), error.text()),
            .cause = "who reads it must learn what does not fit what",
            .function = function});
  }
  struct statx now{};
  const bool there = bench.sim.statx(AT_FDCWD, path, 0, STATX_SIZE, &now) == 0;
  if (!t.holds(there != create)) {
    t.fail({.expected = create ? "no new file stays behind" : "the file that was there stays",
            .found = there ? "one stays behind" : "it was removed",
            .cause = "an open() that fails leaves things as they were (clause 16)",
            .function = function,
            .evidence = bench.calls()});
  }
}

}  // namespace

void pages_that_do_not_fit(Test& t) {
  const char* const small = "seven of eight offsets of such pages are misaligned for ever";
  const Misfit misfits[] = {
      {512, 4096, true, small},
      {512, 4096, false, small},
      {4096, 1536, true,
       "4096 is larger than 1536 and no multiple of it, so that two of three offsets are "
       "misaligned: statx(2) promises no power of two"},
  };
  for (const Misfit& misfit : misfits) {
    must_not_open(t, misfit, false);
    must_not_open(t, misfit, true);
  }
  Bench bench = bench_of(t, 512, 512);
  (void)alignment_found(t, bench, "pages of 512 bytes fit an alignment of 512");
}

void zero_means_no(Test& t) {
  t.expect_trouble(
      "statx says 0 for \"this file cannot be read with O_DIRECT\"; it was taken for a number, and "
      "something was divided by it");
  Bench bench = bench_of(t, 512);
  bench.kernel.tell_alignment({0, 0});
  const auto file = pagealloc::open(bench_path, direct_options(bench, Direct::require));
  const bool refused = !file && file.error().code == Errc::not_available &&
                       file.error().cause.find("O_DIRECT") != std::string::npos;
  if (t.holds(refused)) return;
  t.fail({.expected = "not_available, and a text with the word O_DIRECT: an alignment of 0, told, "
                      "means that this file cannot be read so",
          .found = file ? "the file was opened"
                        : fmt::format("{}: {}", name_of(file.error().code), file.error().text()),
          .cause =
              "0 is no number here and not the same as not telling: the mask of the answer has "
              "STATX_DIOALIGN",
          .function = function});
}

}  // namespace pagealloc::labs
