// Tasks 3 and 4: a file that goes through the page cache after all, and how it says so.
#include <fcntl.h>
#include <fmt/format.h>

#include "labs/03_direct/tests/support.h"
#include "labs/03_direct/tests/tests.h"

namespace pagealloc::labs {

namespace {

/// geometry() must speak of the page cache.
void told_so(Test& t, Bench& bench, const PageFile& file, const char* how,
             const char* direct_is_set_by, const char* cause) {
  if (!t.holds(!file.geometry().direct)) {
    t.fail({.expected = fmt::format("geometry().direct is false: {}", how),
            .found = "true, and every read and write goes through the page cache",
            .cause = cause,
            .function = direct_is_set_by,
            .evidence = bench.calls()});
  }
  if (!t.holds(file.geometry().align_bytes == 1)) {
    t.fail(
        {.expected = fmt::format("align_bytes is 1: {}, and the page cache takes any address", how),
         .found = fmt::format("{}", file.geometry().align_bytes),
         .cause = "O_DIRECT's rule was applied to a file that is open without it: memory is "
                  "refused for nothing",
         .function = "SharedFile::find_alignment",
         .evidence = bench.calls()});
  }
}

}  // namespace

void through_the_cache_is_told(Test& t) {
  const char* const opens = "a file through the page cache demands no alignment";
  Bench cached(t, {.machine = {.align_bytes = 4096}});
  const auto plain = opened(t, cached, cached.options(), "SharedFile::find_alignment", opens);
  told_so(t, cached, *plain, "impl = pread never asks for O_DIRECT", "SharedFile::open_descriptor",
          "geometry_.direct is what was got, and nothing was asked for");

  Bench refusing(t, {.machine = {.refuses_direct = true}});
  refusing.kernel.log_all(true);
  const auto attempted = opened(t, refusing, direct_options(refusing, Direct::attempt),
                                "SharedFile::open_descriptor", opens);
  told_so(t, refusing, *attempted, "O_DIRECT was attempted and this file system refused it",
          "SharedFile::open_descriptor",
          "it is set before the call has answered. Who asked is not told: an O_DIRECT that is "
          "silently buffered");
}

namespace {

struct Way {
  std::uint32_t page_bytes;
  bool zero;
  const char* why;
};

void given_up(Test& t, const Way& way) {
  Bench bench(t, {.page_bytes = way.page_bytes, .machine = {.align_bytes = 4096}});
  bench.kernel.log_all(true);
  if (way.zero) bench.kernel.tell_alignment({0, 0});
  const char* const function = "SharedFile::give_up_direct";
  {
    const auto file = opened(t, bench, direct_options(bench, Direct::attempt), function,
                             "attempted means that it may be done without");
    const auto opens = opens_of(bench);
    if (!t.holds(opens.size() >= 2 && (opens.back().flags & O_DIRECT) == 0)) {
      t.fail({.expected = fmt::format("the file is opened again without O_DIRECT: {}", way.why),
              .found = fmt::format("{} open() of its name, the last with {}", opens.size(),
                                   text_of_flags(opens.empty() ? 0 : opens.back().flags)),
              .cause = "O_DIRECT was given up in words only. The kernel goes by the descriptor's "
                       "flags, and open_descriptor() gets one without O_DIRECT, by the file's name",
              .function = function,
              .evidence = bench.calls()});
    }
    told_so(t, bench, *file, "O_DIRECT was given up", function,
            "it was granted at first and given up later. Who asked is not told: an O_DIRECT that "
            "is silently buffered");
    const std::size_t open = descriptors_open(bench);
    if (!t.holds(open == 1)) {
      t.fail({.expected = "one descriptor of the file is open",
              .found = fmt::format("{}", open),
              .cause = "the one with O_DIRECT must be closed before the file is opened again; "
                       "nobody knows its number afterwards, and each open loses one more",
              .function = function,
              .evidence = bench.calls()});
    }
  }
  const std::size_t left = descriptors_open(bench);
  if (!t.holds(left == 0)) {
    t.fail({.expected = "no descriptor is open when the file is closed",
            .found = fmt::format("{}", left),
            .cause = "fd_ is what is closed in the end; it must be the descriptor in use",
            .function = function,
            .evidence = bench.calls()});
  }
}

}  // namespace

void given_up_cleanly(Test& t) {
  given_up(t, {512, false, "pages of 512 bytes do not fit a file that demands 4096"});
  given_up(t, {4096, true, "this file cannot be read with O_DIRECT"});
}

}  // namespace pagealloc::labs
