#include "labs/01_pages/tests/common.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace pagealloc::labs {

using conformance::Record;

std::shared_ptr<SharedFile> opened(Test& t, Bench& bench) {
  auto file = SharedFile::open(bench_path, bench.options(), Direct::off);
  if (!t.holds(file.has_value())) {
    t.fail({.expected = "a file of whole pages is opened without a sync",
            .found = file.error().text(),
            .cause = "open() has been told to sync nothing; nothing of this lab can refuse it",
            .function = "SharedFile::make_durable"});
  }
  bench.kernel.clear_log();
  return *file;
}

std::unique_ptr<PageFile> file_opened(Test& t, Bench& bench, const Options& options) {
  auto file = open(bench_path, options);
  if (!t.holds(file.has_value())) {
    t.fail({.expected = "a file that is there and of whole pages is opened",
            .found = file.error().text(),
            .cause = "nothing has failed; make_durable returns an error where there is none",
            .function = "SharedFile::make_durable",
            .evidence = bench.calls()});
  }
  bench.kernel.clear_log();
  return std::move(*file);
}

std::unique_ptr<PageFile> another_of(Test& t, PageFile& file) {
  auto other = file.another();
  if (!t.holds(other.has_value())) {
    t.fail({.expected = "a second handle of the file",
            .found = other.error().text(),
            .cause = "nothing has failed that could be in its way",
            .function = {}});
  }
  return std::move(*other);
}

std::string pages_text(PageId page, std::uint64_t run) {
  if (run == 1) return fmt::format("page {}", page);
  return fmt::format("pages {} to {}", page, page + run - 1);
}

std::string text_of(const blocking::Outcome& outcome) {
  return text_of(outcome.result, outcome.os_error);
}

std::vector<Range> ranges_of(std::span<const Record> records) {
  std::vector<Range> ranges;
  for (const Record& record : records) ranges.push_back({record.offset, record.bytes});
  return ranges;
}

std::vector<Range> short_calls(Range whole, std::size_t unit_bytes) {
  std::vector<Range> calls;
  while (whole.bytes > 0) {
    calls.push_back(whole);
    const std::uint64_t moved =
        whole.bytes <= unit_bytes
            ? whole.bytes
            : std::max<std::uint64_t>(whole.bytes / 2 / unit_bytes, 1) * unit_bytes;
    whole = {whole.offset + moved, whole.bytes - moved};
  }
  return calls;
}

std::string ordinal(std::size_t index) {
  constexpr std::array words = {"first", "second",  "third",  "fourth", "fifth",
                                "sixth", "seventh", "eighth", "ninth",  "tenth"};
  return index < words.size() ? words[index] : fmt::format("{}th", index + 1);
}

std::string calls_text(std::size_t count, const char* call) {
  return fmt::format("{} {} of {}", count, count == 1 ? "call" : "calls", call);
}

std::size_t bytes_moved(std::span<const Record> records) {
  std::size_t bytes = 0;
  for (const Record& record : records) {
    if (record.result > 0) bytes += static_cast<std::size_t>(record.result);
  }
  return bytes;
}

std::string history(Bench& bench) { return "\nwhat the machine did:\n" + bench.timeline(); }

Difference difference(const char* call, std::span<const Range> expected,
                      std::span<const Range> found) {
  if (expected.size() != found.size() &&
      std::ranges::equal(expected.first(std::min(expected.size(), found.size())),
                         found.first(std::min(expected.size(), found.size())))) {
    return {calls_text(expected.size(), call), calls_text(found.size(), call)};
  }
  for (std::size_t i = 0; i < std::min(expected.size(), found.size()); ++i) {
    if (expected[i] == found[i]) continue;
    return {fmt::format("the {} {} at offset {}, for {} bytes", ordinal(i), call,
                        expected[i].offset, expected[i].bytes),
            fmt::format("it is at offset {}, for {} bytes", found[i].offset, found[i].bytes)};
  }
  return {};
}

std::vector<std::byte> pages_of(PageId page, std::uint64_t run, std::uint64_t version,
                                std::size_t page_bytes) {
  std::vector<std::byte> bytes;
  for (std::uint64_t i = 0; i < run; ++i) {
    const auto one = pattern(page + i, version, page_bytes);
    bytes.insert(bytes.end(), one.begin(), one.end());
  }
  return bytes;
}

void fill(Memory& memory, PageId page, std::uint64_t run, std::uint64_t version) {
  const auto bytes = pages_of(page, run, version);
  std::memcpy(memory.data(), bytes.data(), std::min(bytes.size(), memory.bytes().size()));
}

Done done(PageFile& file, Op op) {
  Done result{.op = op};
  Op* const one = &result.op;
  (void)file.submit({&one, 1});
  Op* back = nullptr;
  (void)file.reap({&back, 1}, 1);
  if (op.verb == Verb::read && result.op.result == Errc::ok) {
    const std::size_t bytes = std::size_t{op.run} * file.geometry().page_bytes;
    result.bytes.assign(result.op.frame, result.op.frame + bytes);
    file.release(result.op.frame, op.run);
    result.op.frame = nullptr;
  }
  return result;
}

}  // namespace pagealloc::labs
