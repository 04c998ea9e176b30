// What this lab's tests share beyond the bench.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "labs/grader/bench.h"
#include "pagealloc/blocking.h"
#include "pagealloc/open.h"
#include "pagealloc/page_file.h"
#include "pagealloc/shared_file.h"

namespace pagealloc::labs {

/// The file of the bench, opened without a sync: nothing of tasks 6 and 7 is needed. The log is
/// empty afterwards.
std::shared_ptr<SharedFile> opened(Test& t, Bench& bench);
/// The same through the interface.
std::unique_ptr<PageFile> file_opened(Test& t, Bench& bench, const Options& options);
std::unique_ptr<PageFile> another_of(Test& t, PageFile& file);

/// "page 5" or "pages 5 to 7".
std::string pages_text(PageId page, std::uint64_t run);
std::string text_of(const blocking::Outcome& outcome);

/// A call that is expected, or was made.
struct Range {
  std::uint64_t offset;
  std::uint64_t bytes;
  bool operator==(const Range&) const = default;
};
std::vector<Range> ranges_of(std::span<const conformance::Record> records);
/// The calls that a transfer of `whole` takes when each moves as much as
/// TestKernel::set_short_transfers(unit_bytes) lets it.
std::vector<Range> short_calls(Range whole, std::size_t unit_bytes);
/// What the first difference is: "the second preadv asks for ..." for either side.
struct Difference {
  std::string expected;
  std::string found;
};
Difference difference(const char* call, std::span<const Range> expected,
                      std::span<const Range> found);

/// `run` pages of this version, one after the other.
std::vector<std::byte> pages_of(PageId page, std::uint64_t run, std::uint64_t version,
                                std::size_t page_bytes = 4096);
void fill(Memory& memory, PageId page, std::uint64_t run, std::uint64_t version);

/// An operation through the interface, from submit to reap. Of a read `bytes` are what was lent.
struct Done {
  Op op = {};
  std::vector<std::byte> bytes = {};
};
Done done(PageFile& file, Op op);

/// "first", "second" ...
std::string ordinal(std::size_t index);
/// "1 call of preadv", "2 calls of preadv".
std::string calls_text(std::size_t count, const char* call);
/// What these calls have moved.
std::size_t bytes_moved(std::span<const conformance::Record> records);
/// The machine's timeline with its heading, to follow a picture.
std::string history(Bench& bench);

}  // namespace pagealloc::labs
