// What the tests of lab 02 share: files that are read through the student's map.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "labs/grader/bench.h"
#include "labs/grader/touches.h"
#include "pagealloc/page_file.h"

namespace pagealloc::labs {

/// What a test says when a demand does not hold.
struct Blame {
  std::string cause;
  std::string function;
};

/// The machine of a test, with counted touches. What is opened stays open until the process ends or
/// close() is asked for: most tests need no Map::~Map.
class Mapped {
 public:
  Mapped(Test& the_test, Bench::Setup setup);
  explicit Mapped(Test& the_test) : Mapped(the_test, setup_of(8)) {}
  static Bench::Setup setup_of(std::uint64_t pages, std::uint32_t page_bytes = 4096);
  /// The same, with 4096 bytes a page, and `hole` has no block yet.
  static Bench::Setup setup_with_hole(std::uint64_t pages, PageId hole);

  Options options(WritePath write_path = WritePath::pwrite) const;
  /// The file of the bench, or the end of the test.
  PageFile& open(const Options& options);
  /// Another handle of this file, or the end of the test.
  PageFile& another(PageFile& file);
  void close(PageFile& file);

  /// The one map of a file in the log, or the end of the test.
  conformance::Record map();
  /// How many maps of a file the log has.
  std::size_t maps() const;
  /// Are these addresses in a map of a file that the log has?
  bool is_in_map(const std::byte* address) const;
  /// Pages that could not be had, as the guard of this file counts them.
  std::uint32_t lost_pages() const;

  /// The calls, and what is guarded.
  std::string evidence() const;

  /// Looks at a page through the map: it must be there, as `version`.
  void expect_page(PageFile& file, PageId page, std::uint64_t version, const Blame& blame);
  /// Looks at a page through the map: it must be zeros, without the end of the process.
  void expect_zeros(PageFile& file, PageId page, const Blame& blame);
  /// Looks at a page of the file, as a stranger sees it.
  void expect_in_file(PageId page, std::uint64_t version, const Blame& blame);

  /// Submits and reaps.
  static Op run(PageFile& file, Op op);
  /// A frame for a page; storing into it must be possible.
  std::byte* staged(PageFile& file, PageId page, std::uint64_t version, const Blame& blame);
  /// Stages, fills and writes; the write must succeed.
  void write(PageFile& file, PageId page, std::uint64_t version);
  /// Syncs; it must succeed.
  void sync(PageFile& file, const Blame& blame);
  /// The next sync of a file fails: by msync or by fdatasync, whichever it is made of.
  void fail_next_sync(int os_error);

  Test& t;
  Touches touches;  // before the first open: a guard of the file's comes in front
  Bench bench;

 private:
  /// "version 1".
  std::string text_of_bytes(PageId page, std::span<const std::byte> bytes) const;
  std::vector<std::byte> seen(PageFile& file, PageId page, const Blame& blame);
  /// For ever, so that no destructor of the student's runs when a test ends.
  std::vector<std::unique_ptr<PageFile>>& files_;
};

}  // namespace pagealloc::labs
