// The harness on the simulated machine: is what it measures there the machine's doing, and the same
// every time?
#include <gtest/gtest.h>

#include <set>

#include "harness/campaign.h"
#include "harness/meter.h"
#include "harness/scratch.h"
#include "harness/simulated_depth.h"
#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::harness {
namespace {

using os::sim::Machine;
using os::sim::SimKernel;

constexpr std::uint32_t page_bytes = 4096;
constexpr std::uint64_t pages = 256;

class Simulated : public ::testing::Test {
 protected:
  Simulated() : kernel_(Machine{}) {
    auto made = Scratch::make(kernel_, "/data.pa", pages * page_bytes, page_bytes,
                              [](double) { return true; });
    if (made) file_.emplace(std::move(*made));
  }
  void SetUp() override { ASSERT_TRUE(file_); }

  /// How long reading a page takes there: from the page cache less than a microsecond.
  std::uint64_t read_ns(int fd, std::uint64_t page) {
    std::vector<std::byte> bytes(page_bytes);
    const iovec iov{bytes.data(), bytes.size()};
    const std::uint64_t start_ns = kernel_.now_ns();
    EXPECT_EQ(kernel_.preadv(fd, &iov, 1, page * page_bytes), page_bytes);
    return kernel_.now_ns() - start_ns;
  }

  SimKernel kernel_;
  std::optional<Scratch> file_;
};

TEST_F(Simulated, every_page_is_cold_and_every_page_is_warm) {
  const std::uint64_t device_ns = Machine{}.model.read_ns;
  const int fd = kernel_.open("/data.pa", O_RDONLY, 0);
  ASSERT_TRUE(file_->make_cold());
  for (std::uint64_t page = 0; page < pages; ++page) ASSERT_GE(read_ns(fd, page), device_ns);
  ASSERT_TRUE(file_->make_cold());
  ASSERT_TRUE(file_->make_warm());
  for (std::uint64_t page = 0; page < pages; ++page) ASSERT_LT(read_ns(fd, page), 1000U);
  EXPECT_EQ(kernel_.close(fd), 0);
}

TEST_F(Simulated, time_and_calls_are_those_of_the_machine) {
  const int fd = kernel_.open("/data.pa", O_RDONLY | O_DIRECT, 0);
  const Meter meter(kernel_);
  alignas(4096) std::byte page[page_bytes];
  const iovec iov{page, sizeof page};
  ASSERT_EQ(kernel_.preadv(fd, &iov, 1, 0), page_bytes);
  const Round round = meter.stop(1, page_bytes, {});
  EXPECT_GE(round.seconds * 1e9, Machine{}.model.read_ns);
  EXPECT_EQ(round.system_calls_per_op, 1);
  EXPECT_FALSE(round.cpu_ns_per_op.has_value()) << "whose should it be?";
  EXPECT_FALSE(round.major_faults_per_op.has_value());
  EXPECT_EQ(kernel_.close(fd), 0);
}

TEST_F(Simulated, wrong_bytes_are_noticed) {
  const int fd = kernel_.open("/data.pa", O_WRONLY, 0);
  std::byte junk[8] = {std::byte{1}};
  const iovec iov{junk, sizeof junk};
  ASSERT_EQ(kernel_.pwritev(fd, &iov, 1, 77 * page_bytes), static_cast<std::int64_t>(sizeof junk));
  EXPECT_EQ(kernel_.close(fd), 0);
  Job job;
  Histogram latencies;
  const auto round = run_workload(job, *file_, {.ops = pages, .seed = 3}, latencies);
  ASSERT_FALSE(round);
  EXPECT_NE(round.error().find("WRONG BYTES"), std::string::npos);
}

/// All rows of a quick run.
nlohmann::json rows(const Machine& machine) {
  Plan plan;
  plan.mode = Mode::quick;
  plan.rounds = 2;
  plan.machine = machine;
  Campaign campaign(plan);
  const auto ready = campaign.prepare();
  EXPECT_TRUE(ready) << ready.error();
  for (Series& series : campaign.all()) campaign.calibrate(series);
  for (std::uint32_t round = 0; round < campaign.rounds(); ++round) {
    for (Series& series : campaign.all()) campaign.measure(series, round);
  }
  return rows_of(campaign.all());
}

TEST(SimulatedCampaign, the_same_seed_gives_the_same_figures) {
  for (const os::sim::Model& model : os::sim::models()) {
    if (model.name == "nvme") continue;  // the longest, and the one of bench_test.py
    const nlohmann::json first = rows({.seed = 7, .model = model});
    EXPECT_EQ(first, rows({.seed = 7, .model = model})) << model.name;
    EXPECT_NE(first, rows({.seed = 8, .model = model})) << "a seed that changes nothing";
  }
}

TEST(SimulatedCampaign, what_cannot_be_measured_says_so) {
  std::set<std::string> measured;
  for (const auto& row : rows({})) {
    if (!row["peer"].is_null()) {
      EXPECT_EQ(row["peer"]["reason"], "not available here: fio runs on Linux");
      EXPECT_TRUE(row["peer"]["median"].is_null());
    }
    if (!row["available"].get<bool>()) {
      EXPECT_FALSE(row["reason"].get<std::string>().empty());
      continue;
    }
    measured.insert(row["impl"]);
    EXPECT_GT(row["median"]["ops_per_second"], 0);
    EXPECT_GT(row["median"]["seconds"], 0) << "something took no time at all";
    EXPECT_TRUE(row["median"]["cpu_ns_per_op"].is_null());
  }
  EXPECT_EQ(measured, (std::set<std::string>{"pread", "mmap", "direct", "uring"}));
}

TEST(SimulatedDepth, follows_littles_law_and_grows_with_the_units) {
  std::map<std::string, double> one;
  for (const DepthPoint& point : simulated_depth()) {
    if (point.depth == 1) one[point.model] = point.ops_per_second;
    const std::string where = point.model + " depth " + std::to_string(point.depth);
    const double in_flight = point.ops_per_second * point.latency_mean_ns / 1e9;
    EXPECT_NEAR(in_flight / point.depth, 1, 0.05) << where;
    const double gain = point.ops_per_second / one[point.model];
    const double expected = std::min(point.depth, point.units);
    EXPECT_NEAR(gain / expected, 1, 0.15) << where;
  }
  EXPECT_EQ(one.size(), os::sim::models().size());
}

}  // namespace
}  // namespace pagealloc::harness
