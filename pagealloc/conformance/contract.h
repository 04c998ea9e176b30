// The fixture of the conformance suite: one file of one variant on one kernel, and the means to
// break it on purpose.
//
// Tests are named C<clause>_<what>, and CONTRACT.md names them. With PAGEALLOC_MUTANT=<clause> in
// the environment every handle is wrapped in a mutant that breaks that clause, and the clause's
// tests must fail: matrix.py checks that for every clause on every variant.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "pagealloc/conformance/files.h"
#include "pagealloc/conformance/test_kernel.h"
#include "pagealloc/conformance/variant.h"
#include "pagealloc/open.h"

namespace pagealloc::conformance {

class Contract : public ::testing::TestWithParam<Variant> {
 protected:
  Contract();
  void SetUp() override;
  void TearDown() override;

  Options options() const { return options_; }
  bool is(std::string_view impl) const { return GetParam().options.impl == impl; }
  /// Does a write wait in a cache of the file's own until something is synced?
  bool caches() const { return options_.cache.bytes != 0; }
  bool stores_into_map() const { return GetParam().options.write_path == WritePath::map; }

  std::string path(const std::string& name = "file.pa") const;
  /// open(), as a mutant if one is asked for.
  Result<std::unique_ptr<PageFile>> try_open(const Options& options);
  /// The same for a file that must open; fills it with `pages` pages of pattern(page, 0) first.
  std::unique_ptr<PageFile> open_filled(std::uint64_t pages, const Options& options);
  std::unique_ptr<PageFile> open_filled(std::uint64_t pages) {
    return open_filled(pages, options_);
  }

  /// The bytes of page `page` in its `version`th form.
  std::vector<std::byte> pattern(PageId page, unsigned version) const;
  /// What the file holds, read by other means than the code under test.
  std::vector<std::byte> raw_page(PageId page);
  void expect_page(PageFile& file, PageId page, unsigned version);

  /// Submits all, reaps all; returns what came back, in that order.
  static std::vector<Op*> run(PageFile& file, std::vector<Op>& ops);
  static Op run_one(PageFile& file, const Op& op);
  /// Stages, fills and writes one page; not synced.
  Errc write(PageFile& file, PageId page, unsigned version);

  /// The call that makes writes durable on this variant: fdatasync or msync.
  os::Call sync_call() const { return stores_into_map() ? os::Call::msync : os::Call::fdatasync; }

  std::unique_ptr<os::sim::SimKernel> sim_;  // nullptr: on Linux
  TestKernel kernel_;
  Files files_;
  Options options_;
  std::filesystem::path directory_;
};

}  // namespace pagealloc::conformance
