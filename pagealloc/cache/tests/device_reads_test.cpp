// What the cache counts as misses is what the device was asked for, as the kernel counts it.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>

#include "pagealloc/cache/trace.h"
#include "pagealloc/open.h"

namespace pagealloc::cache {
namespace {

constexpr std::uint64_t pages = 4096;
constexpr std::uint64_t frames = 512;
constexpr std::uint32_t page_bytes = 4096;

/// What all threads of this process have made the devices read (proc_pid_io(5)).
std::optional<std::uint64_t> device_read_bytes() {
  std::ifstream file("/proc/self/io");
  for (std::string name; file >> name;) {
    std::uint64_t value = 0;
    file >> value;
    if (name == "read_bytes:") return value;
  }
  return std::nullopt;
}

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
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path directory_;
  Options options_;
};

TEST_P(DeviceReads, are_the_misses) {
  options_.cache.bytes = frames * page_bytes;
  options_.cache.eviction = std::get<1>(GetParam());
  options_.cache.readahead_bytes = 0;
  auto file = open((directory_ / "file.pa").string(), options_);
  ASSERT_TRUE(file) << file.error().text();
  const auto before = device_read_bytes();
  if (!before) GTEST_SKIP() << "not available here: /proc/self/io cannot be read";
  const Trace trace = make_trace(Pattern::zipfian, pages, 20'000, 1);
  for (const PageId page : trace) {
    const auto lent = read_page(**file, page);
    ASSERT_TRUE(lent) << lent.error().text();
  }
  const auto device_pages = static_cast<double>(*device_read_bytes() - *before) / page_bytes;
  if (device_pages == 0) {
    GTEST_SKIP() << "not available here: this file system's reads are not counted as a device's";
  }
  const auto misses = static_cast<double>((*file)->cache_counters().misses);
  EXPECT_GT(misses, 1000);
  EXPECT_LE(std::abs(device_pages - misses), misses / 100)
      << misses << " misses, " << device_pages << " pages read by the device";
  EXPECT_EQ(trace.size() - static_cast<std::uint64_t>(misses),
            hits_of(trace, options_.cache.eviction, frames));
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
