// The parts of the harness whose mistakes would look like measurements.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include "harness/fio.h"
#include "harness/histogram.h"
#include "harness/placement.h"
#include "harness/results.h"
#include "harness/scratch.h"
#include "harness/sequence.h"
#include "harness/statistics.h"
#include "harness/workload.h"
#include "pagealloc/open.h"

namespace pagealloc::harness {
namespace {

TEST(Histogram, percentiles_are_within_two_percent) {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100'000; ++value) histogram.add(value);
  for (const double share : {0.001, 0.5, 0.99, 0.999, 1.0}) {
    const auto found = static_cast<double>(histogram.percentile(share));
    EXPECT_GE(found, share * 100'000);
    EXPECT_LE(found, share * 100'000 * 1.02 + 1);
  }
  EXPECT_EQ(Histogram().percentile(0.5), 0U);
  Histogram huge;
  huge.add(UINT64_MAX);
  EXPECT_EQ(huge.total(), 1U);
  EXPECT_GT(huge.percentile(1), 1ULL << 40);
}

TEST(Sequence, is_a_permutation_that_a_seed_repeats) {
  for (const std::uint64_t pages : {1ULL, 2ULL, 3ULL, 1000ULL, 4096ULL, 65537ULL}) {
    const Sequence order(pages, 5);
    std::set<std::uint64_t> seen;
    for (std::uint64_t i = 0; i < pages; ++i) {
      ASSERT_LT(order[i], pages);
      seen.insert(order[i]);
    }
    EXPECT_EQ(seen.size(), pages);
    EXPECT_EQ(order[0], Sequence(pages, 5)[0]);
  }
  const Sequence one(1 << 16, 1);
  const Sequence two(1 << 16, 2);
  unsigned near = 0;
  unsigned same = 0;
  for (std::uint64_t i = 1; i < 10'000; ++i) {
    near += std::abs(static_cast<std::int64_t>(one[i] - one[i - 1])) < 64;
    same += one[i] == two[i];
  }
  EXPECT_LT(near, 100U) << "neighbours in the order are neighbours on the disk";
  EXPECT_LT(same, 20U) << "two seeds give one order";
}

TEST(Statistics, median_of_even_and_odd_series) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(median({}), 0);
}

TEST(Statistics, interval_of_a_paired_ratio) {
  EXPECT_FALSE(paired_ratio({1}, {1}).has_value());
  const auto same = paired_ratio({2, 4, 6}, {1, 2, 3});
  ASSERT_TRUE(same);
  EXPECT_DOUBLE_EQ(same->median, 2);
  EXPECT_NEAR(same->low, 2, 1e-9);
  EXPECT_NEAR(same->high, 2, 1e-9);
  // By hand: logs of 1.1, 1.0, 1.21 are 0.0953, 0, 0.1906; mean 0.0953, deviation 0.0953, error
  // 4.303 * 0.0953 / sqrt(3) = 0.2368.
  const auto spread = paired_ratio({1.1, 1.0, 1.21}, {1, 1, 1});
  ASSERT_TRUE(spread);
  EXPECT_NEAR(spread->low, std::exp(0.0953 - 0.2368), 1e-3);
  EXPECT_NEAR(spread->high, std::exp(0.0953 + 0.2368), 1e-3);
}

TEST(Statistics, two_groups_are_called_bimodal_and_noise_is_not) {
  EXPECT_TRUE(bimodal({100, 101, 99, 160, 162, 161}));
  EXPECT_FALSE(bimodal({100, 101, 99, 102, 98}));
  EXPECT_FALSE(bimodal({100, 110, 120, 130, 140, 150})) << "a drift has no gap";
  EXPECT_FALSE(bimodal({100, 100, 100, 500})) << "one outlier is not a group";
}

class ScratchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::current_path() / "harness-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    auto made = Scratch::make(os::linux_kernel(), directory_ + "/data.pa", bytes, 4096,
                              [](double) { return true; });
    ASSERT_TRUE(made) << made.error();
    file_.emplace(std::move(*made));
  }
  void TearDown() override {
    file_.reset();
    std::filesystem::remove_all(directory_);
  }
  static constexpr std::uint64_t bytes = 8U << 20;
  std::string directory_;
  std::optional<Scratch> file_;
};

TEST_F(ScratchTest, warm_and_cold_are_proven) {
  ASSERT_TRUE(file_->make_warm());
  EXPECT_EQ(*file_->resident(), 1);
  const auto cold = file_->make_cold();
  if (!cold) {  // a file system in memory has no cold state, and must say so
    EXPECT_NE(cold.error().find("stays in the page cache"), std::string::npos);
    return;
  }
  EXPECT_EQ(*file_->resident(), 0);
}

TEST_F(ScratchTest, every_implementation_returns_the_same_checksum) {
  // Read here by other means: the first 100 pages of the order of seed 3.
  std::uint64_t expected = 0;
  std::ifstream in(file_->path(), std::ios::binary);
  const Sequence order(file_->pages(), 3);
  std::vector<std::uint64_t> words(4096 / sizeof(std::uint64_t));
  for (std::uint64_t i = 0; i < 100; ++i) {
    in.seekg(static_cast<std::streamoff>(order[i] * 4096));
    in.read(reinterpret_cast<char*>(words.data()), 4096);
    expected = std::accumulate(words.begin(), words.end(), expected);
  }
  ASSERT_TRUE(in);
  std::size_t measured = 0;
  for (Job& job : jobs_of(Mode::standard, 4096)) {
    if (job.workload != Workload::random_cold || job.noise || job.use == Use::touch) continue;
    Histogram latencies;
    const auto round =
        run_workload(job, *file_, {.ops = 512, .common_ops = 100, .seed = 3}, latencies);
    if (!round) {  // e.g. a container without io_uring: said, not passed over
      ASSERT_NE(round.error().find("not available here"), std::string::npos) << round.error();
      fmt::print("{}: {}\n", job.name(), round.error());
      continue;
    }
    ++measured;
    EXPECT_EQ(round->checksum, expected) << job.name();
    EXPECT_EQ(latencies.total(), 512U) << job.name();
    EXPECT_EQ(round->ops, 512U);
    EXPECT_GT(round->ops_per_second, 0);
  }
  EXPECT_GE(measured, 2U);
}

TEST_F(ScratchTest, wrong_bytes_are_noticed) {
  Options options{.impl = "pread"};
  auto file = open(file_->path(), options);
  ASSERT_TRUE(file);
  const std::byte junk[8] = {std::byte{1}};
  ASSERT_TRUE(write_page(**file, 77, junk));
  for (Job& job : jobs_of(Mode::quick, 4096)) {
    if (job.workload != Workload::random_warm || job.noise || job.options.impl != "mmap") continue;
    Histogram latencies;
    const auto round = run_workload(job, *file_, {.ops = 2048, .seed = 3}, latencies);
    ASSERT_FALSE(round) << job.name() << " took wrong bytes for right ones";
    EXPECT_NE(round.error().find("WRONG BYTES"), std::string::npos);
  }
}

TEST_F(ScratchTest, durable_writes_are_acknowledged_once_each) {
  for (Job& job : jobs_of(Mode::full, 4096)) {
    if (job.workload != Workload::durable_write || job.noise) continue;
    Histogram latencies;
    const auto before = os::linux_kernel().calls();
    const auto round = run_workload(job, *file_, {.ops = 256, .seed = 9}, latencies);
    if (!round) {
      ASSERT_NE(round.error().find("not available here"), std::string::npos) << round.error();
      fmt::print("{}: {}\n", job.name(), round.error());
      continue;
    }
    EXPECT_EQ(latencies.total(), 256U) << job.name();
    if (job.options.impl == "uring") continue;  // its syncs are entries of the ring, not calls
    const auto after = os::linux_kernel().calls();
    const bool map = job.options.write_path == WritePath::map;
    const os::Call call = map ? os::Call::msync : os::Call::fdatasync;
    // Each thread ends with a batch of its own, whole or not.
    const std::uint64_t syncs = job.threads * ((256U / job.threads + job.batch - 1) / job.batch);
    const std::uint64_t calls = after[call] - before[call];
    if (job.handles) {  // those that wait together are served together
      EXPECT_GE(calls, 1U) << job.name();
      EXPECT_LE(calls, syncs) << job.name();
    } else {
      EXPECT_EQ(calls, syncs) << job.name();
    }
  }
}

TEST_F(ScratchTest, fio_is_told_the_same_job) {
  for (Job& job : jobs_of(Mode::full, 8192)) {
    if (job.peer.empty()) continue;
    const auto command = fio_command(job, *file_, {.ops = 640});
    const std::set<std::string> words(command.begin(), command.end());
    EXPECT_TRUE(words.contains("--ioengine=" + job.peer));
    EXPECT_TRUE(words.contains("--numjobs=" + std::to_string(job.threads)));
    const std::uint64_t ops = 640 / job.threads + (job.batch > 0 ? 1 : 0);
    EXPECT_TRUE(words.contains("--number_ios=" + std::to_string(ops)));
    EXPECT_TRUE(words.contains("--bs=" + std::to_string(job.run * 8192)));
    const bool direct = job.noise ? *job.options.direct == Direct::require
                                  : job.options.impl == "direct" || job.variant == "direct";
    EXPECT_TRUE(words.contains(direct ? "--direct=1" : "--direct=0")) << job.name();
    if (job.batch > 0) {
      EXPECT_TRUE(words.contains("--fdatasync=" + std::to_string(job.batch)));
      EXPECT_FALSE(words.contains("--fixedbufs")) << "the kernel would refuse fio's syncs";
    }
  }
}

TEST_F(ScratchTest, one_thread_runs_where_it_is_told_and_so_does_fio) {
  const auto reads = reads_per_second_by_cpu(*file_, 4096);
  if (!reads) {
    ASSERT_NE(reads.error().find("not available here"), std::string::npos) << reads.error();
    GTEST_SKIP() << reads.error();
  }
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  ASSERT_EQ(reads->size(), static_cast<std::size_t>(CPU_COUNT(&before)));
  for (const auto& [cpu, per_second] : *reads) {
    EXPECT_GT(per_second, 0);
    {
      const auto pinned = Pinned::to(cpu);
      ASSERT_TRUE(pinned) << pinned.error();
      EXPECT_EQ(sched_getcpu(), static_cast<int>(cpu));
    }
    cpu_set_t after;
    ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
    EXPECT_TRUE(CPU_EQUAL(&before, &after)) << "not given back";
    const auto command = fio_command(jobs_of(Mode::quick, 4096)[0], *file_, {.cpu = cpu});
    EXPECT_EQ(std::ranges::count(command, fmt::format("--cpus_allowed={}", cpu)), 1);
  }
  EXPECT_FALSE(Pinned::to(CPU_SETSIZE - 1)) << "a machine with that many?";
}

TEST(Results, ratios_pair_what_was_measured_together) {
  std::vector<Series> all(2);
  all[0].job.options.impl = "uring";
  all[0].job.peer = "io_uring";
  all[0].rounds = {{.ops_per_second = 20}, {.ops_per_second = 30}};
  all[0].peer_rounds = {{.ops_per_second = 10}, {.ops_per_second = 15}};
  all[1].job = all[0].job;
  all[1].job.noise = true;
  all[1].rounds = {{.ops_per_second = 10}, {.ops_per_second = 11}};
  all[1].peer_rounds = {{.ops_per_second = 11}, {.ops_per_second = 10}};
  const auto ratios = ratios_of(all);
  ASSERT_EQ(ratios.size(), 1U);
  EXPECT_DOUBLE_EQ(ratios[0]["ratio_median"], 2);
  EXPECT_EQ(ratios[0]["peer"], "fio io_uring");
  EXPECT_EQ(ratios[0]["noise_floor"]["pairs"], 2);
  const auto rows = rows_of(all);
  ASSERT_EQ(rows.size(), 1U) << "fio against fio is a floor, not a row";
  EXPECT_TRUE(rows[0]["median"]["p50_ns"].is_null()) << "unknown is null, never 0";
}

}  // namespace
}  // namespace pagealloc::harness
