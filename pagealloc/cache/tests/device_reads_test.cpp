// What the cache counts as misses is what the device was asked for, as the kernel counts it.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "pagealloc/cache/trace.h"
#include "pagealloc/open.h"
#include "pagealloc/os/device_reads.h"

namespace pagealloc::cache {
namespace {

constexpr std::uint64_t pages = 4096;
constexpr std::uint64_t frames = 512;
constexpr std::uint32_t page_bytes = 4096;

class DeviceReads : public ::testing::TestWithParam<std::tuple<std::string, Eviction>> {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::current_path() / fmt::format("device-reads-{}", getpid());
    std::filesystem::create_directory(directory_);
    options_.impl = std::get<0>(GetParam());
    options_.create = true;
    auto made = open((directory_ / "file.pa").string(), options_);
    if (!made && made.error().code == Errc::not_available) GTEST_SKIP() << made.error().text();
    ASSERT_TRUE(made) << made.error().text();
    ASSERT_TRUE((*made)->resize(pages));
    for (PageId page = 0; page < pages; ++page) ASSERT_TRUE(write_page(**made, page, {}));
    ASSERT_TRUE(sync(**made));
    const auto before = os::device_read_bytes();
    if (!before) GTEST_SKIP() << "not available here: /proc/self/io cannot be read";
    ASSERT_TRUE(read_page(**made, 7));
    if (os::device_read_bytes() == before) {
      GTEST_SKIP() << "not available here: this file system's reads are not counted as a device's";
    }
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  /// What the cache says of them; the kernel must say the same.
  CacheCounters read_all(const Trace& trace) {
    options_.cache.bytes = frames * page_bytes;
    options_.cache.eviction = std::get<1>(GetParam());
    auto file = open((directory_ / "file.pa").string(), options_);
    EXPECT_TRUE(file) << file.error().text();
    if (!file) return {};
    const std::uint64_t before = os::device_read_bytes().value_or(0);
    for (const PageId page : trace) {
      const auto lent = read_page(**file, page);
      EXPECT_TRUE(lent) << lent.error().text();
    }
    // What is still being read ahead is collected with the handle.
    const CacheCounters counters = (*file)->cache_counters();
    file->reset();
    const auto moved =
        static_cast<double>(os::device_read_bytes().value_or(0) - before) / page_bytes;
    const auto counted = static_cast<double>(counters.misses + counters.ahead);
    EXPECT_LE(std::abs(moved - counted), counted / 100)
        << counters.misses << " misses, " << counters.ahead << " read ahead, " << moved
        << " pages read by the device";
    return counters;
  }

  std::filesystem::path directory_;
  Options options_;
};

TEST_P(DeviceReads, are_the_misses) {
  options_.cache.readahead_bytes = 0;
  const Trace trace = make_trace(Pattern::zipfian, pages, 20'000, 1);
  const CacheCounters counters = read_all(trace);
  EXPECT_GT(counters.misses, 1000U);
  EXPECT_EQ(trace.size() - counters.misses, hits_of(trace, options_.cache.eviction, frames));
}

TEST_P(DeviceReads, are_the_misses_and_what_is_read_with_them) {
  options_.cache.cluster_bytes = 4 * page_bytes;
  Trace trace;
  for (PageId page = 0; page < pages; ++page) trace.push_back(page);
  for (const PageId page : make_trace(Pattern::uniform, pages, 2'000, 1)) trace.push_back(page);
  EXPECT_GT(read_all(trace).ahead, pages / 2);
}

INSTANTIATE_TEST_SUITE_P(Linux, DeviceReads,
                         ::testing::Combine(::testing::Values("direct", "uring"),
                                            ::testing::Values(Eviction::clock, Eviction::lru,
                                                              Eviction::s3_fifo, Eviction::two_q)),
                         [](const auto& tested) {
                           std::string name = fmt::format("{}_{}", std::get<0>(tested.param),
                                                          name_of(std::get<1>(tested.param)));
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace pagealloc::cache
