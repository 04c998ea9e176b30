#include "labs/03_direct/tests/support.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <set>

namespace pagealloc::labs {

using conformance::Record;
using os::Call;

Options direct_options(const Bench& bench, std::optional<Direct> direct) {
  Options options = bench.options();
  options.impl = "direct";
  options.direct = direct;
  return options;
}

std::string text_of(std::optional<Direct> direct) {
  if (!direct) return "direct unset";
  if (*direct == Direct::off) return "direct = off";
  return *direct == Direct::require ? "direct = require" : "direct = attempt";
}

void stop_after_opening(Bench& bench) {
  bench.kernel.log_all(true);
  bench.kernel.fail_next(Call::statx, EIO, 1);  // the first looks what kind of file it is
}

std::string calls_until_stopped(const Bench& bench) {
  const bool stopped = std::ranges::any_of(
      bench.calls_of(Call::statx), [](const Record& record) { return record.result == -EIO; });
  if (!stopped) return bench.calls();
  return bench.calls() +
         "The statx that fails with EIO is the test's doing, to end the open there: what comes "
         "behind it is not looked at.\n";
}

std::vector<Record> opens_of(const Bench& bench, const std::string& path) {
  std::vector<Record> opens;
  std::ranges::copy_if(bench.calls_of(Call::open), std::back_inserter(opens),
                       [&](const Record& record) { return record.path == path; });
  return opens;
}

std::size_t descriptors_open(const Bench& bench, const std::string& path) {
  std::set<std::int64_t> open;
  for (const Record& record : bench.kernel.log()) {
    if (record.call == Call::open && record.path == path && record.result >= 0) {
      open.insert(record.result);
    }
    if (record.call == Call::close && record.result == 0) open.erase(record.fd);
  }
  return open.size();
}

std::unique_ptr<PageFile> opened(Test& t, Bench& bench, const Options& options,
                                 const char* function, const std::string& cause) {
  auto file = pagealloc::open(bench_path, options);
  if (!t.holds(file.has_value())) {
    t.fail({.expected = fmt::format("the file can be opened as {} ({})", options.impl,
                                    text_of(options.direct)),
            .found = fmt::format("{}: {}", name_of(file.error().code), file.error().text()),
            .cause = cause,
            .function = function,
            .evidence = bench.calls()});
  }
  return std::move(*file);
}

Op run(Test& t, Bench& bench, PageFile& file, Op op) {
  Op* const batch[] = {&op};
  Op* done[1] = {};
  (void)file.submit(batch);
  if (!t.holds(file.reap(done, 1) == 1 && done[0] == &op)) {
    t.fail({.expected = fmt::format("the {} comes back from reap()", name_of(op.verb)),
            .found = "reap() has nothing, and it is under way for ever",
            .cause = "begin() of an engine that waits for each call must end the operation before "
                     "it returns: end() puts it where reap() finds it",
            .function = "Engine::begin",
            .evidence = bench.calls()});
  }
  return op;
}

Op write(Test& t, Bench& bench, PageFile& file, PageId page, std::uint64_t version) {
  std::byte* const frame = file.stage(page, 1);
  std::ranges::copy(pattern(page, version, file.geometry().page_bytes), frame);
  return run(t, bench, file, {.verb = Verb::write, .page = page, .frame = frame});
}

void write_well(Test& t, Bench& bench, PageFile& file, PageId page, std::uint64_t version) {
  const Op op = write(t, bench, file, page, version);
  if (t.holds(op.result == Errc::ok)) return;
  t.fail({.expected = fmt::format("a write of page {} from a staged frame ends with ok", page),
          .found = text_of(op.result, op.os_error),
          .cause = "frames that stage() lends begin on a page of memory and lie a page size apart: "
                   "they satisfy every alignment with which the file may be open",
          .function = op.result == Errc::misaligned ? "SharedFile::aligned" : "Engine::begin",
          .evidence = bench.calls()});
}

std::string tail(const std::string& text, std::size_t lines) {
  std::size_t begin = text.size();
  for (std::size_t i = 0; i <= lines && begin != 0; ++i) {
    begin = text.rfind('\n', begin - 1);
    if (begin == std::string::npos) return text;
  }
  return "...\n" + text.substr(begin + 1);
}

}  // namespace pagealloc::labs
