// A cached file on a simulated machine, and the model of what it must hold.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "pagealloc/conformance/pattern.h"
#include "pagealloc/open.h"
#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::cache {

inline constexpr std::uint32_t page_bytes = 4096;
inline constexpr const char* file_path = "/cached.pa";

class Cached : public ::testing::Test {
 protected:
  /// `frames` of the cache, of which each handle may lend `lends`.
  static Options options_of(std::string impl, std::uint32_t frames, std::uint32_t lends = 4) {
    Options options;
    options.impl = std::move(impl);
    options.create = true;
    options.depth = 32;
    options.frames = lends;
    options.cache.bytes = std::uint64_t{frames} * page_bytes;
    return options;
  }

  /// A file of so many pages that hold version 0, durable, and open.
  void open(Options options, std::uint64_t pages, os::sim::Machine machine = {}) {
    file_.reset();
    kernel_ = std::make_unique<os::sim::SimKernel>(std::move(machine));
    options.kernel = kernel_.get();
    {
      Options plain = options;
      plain.cache = {};
      plain.frames = 0;
      auto made = pagealloc::open(file_path, plain);
      ASSERT_TRUE(made) << made.error().text();
      ASSERT_TRUE((*made)->resize(pages));
      for (PageId page = 0; page < pages; ++page) {
        ASSERT_TRUE(write_page(**made, page, contents(page, 0)));
      }
      ASSERT_TRUE(sync(**made));
    }
    auto opened = pagealloc::open(file_path, options);
    ASSERT_TRUE(opened) << opened.error().text();
    file_ = std::move(*opened);
  }

  /// The same file without a cache.
  void open_again(std::string impl) {
    Options options;
    options.impl = std::move(impl);
    options.kernel = kernel_.get();
    auto opened = pagealloc::open(file_path, options);
    ASSERT_TRUE(opened) << opened.error().text();
    file_ = std::move(*opened);
  }

  static std::vector<std::byte> contents(PageId page, std::uint64_t version) {
    return conformance::pattern(page, version, page_bytes);
  }

  static void expect_page(PageFile& file, PageId page, std::uint64_t version) {
    auto lent = read_page(file, page);
    ASSERT_TRUE(lent) << lent.error().text();
    const auto expected = contents(page, version);
    ASSERT_EQ(std::memcmp(lent->bytes().data(), expected.data(), page_bytes), 0)
        << "page " << page << " does not hold version " << version;
  }

  /// What is on the medium if the power goes now. Nothing may be left to luck: a cut keeps of what
  /// is not durable what it likes.
  std::vector<std::byte> medium(PageId page) {
    EXPECT_TRUE(kernel_->everything_durable());
    const os::sim::Image image = kernel_->cut(os::sim::Tearing::none);
    const auto& bytes = image.files.at(file_path).bytes;
    const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(page * page_bytes);
    return {first, first + page_bytes};
  }

  CacheCounters counters() const { return file_->cache_counters(); }

  std::unique_ptr<os::sim::SimKernel> kernel_;
  std::unique_ptr<PageFile> file_;
};

}  // namespace pagealloc::cache
