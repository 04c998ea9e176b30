// The comparison of caches: does it measure what it says, and does it notice wrong bytes?
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "harness/caches/bench.h"
#include "harness/caches/policies.h"
#include "harness/machine.h"
#include "pagealloc/cache/trace.h"

namespace pagealloc::harness::caches {
namespace {

// As much as --quick.
constexpr std::uint64_t budget_bytes = 16U << 20;

class Caches : public ::testing::Test {
 protected:
  void SetUp() override {
    auto directory = ScratchDirectory::make(std::filesystem::current_path().string());
    ASSERT_TRUE(directory) << directory.error();
    directory_.emplace(std::move(*directory));
    auto files = make_files(directory_->path(), budget_bytes, 4096, progress_);
    ASSERT_TRUE(files) << files.error();
    files_.emplace(std::move(*files));
    if (const auto cold = file().make_cold(); !cold) GTEST_SKIP() << cold.error();
  }
  const Scratch& file() const { return files_->four; }

  Extent extent_{.budget_bytes = budget_bytes, .rounds = 1, .all = true};
  Progress progress_{Bench::steps(extent_)};
  std::optional<ScratchDirectory> directory_;
  std::optional<Files> files_;
};

TEST_F(Caches, read_what_was_written_and_notice_what_was_not) {
  const int fd = ::open(file().path().c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  const char byte = '!';
  ASSERT_EQ(::pwrite(fd, &byte, 1, 7 * 4096 + 100), 1);
  ASSERT_EQ(::fsync(fd), 0);
  ::close(fd);
  for (const System system : systems) {
    SCOPED_TRACE(name_of(system));
    auto reader = Reader::open(file(), options_of(system, file(), budget_bytes), 2);
    if (!reader && reader.error().find("not available here") != std::string::npos) continue;
    ASSERT_TRUE(reader) << reader.error();
    EXPECT_TRUE(reader->read({{1, 2, 3}, {4, 5, 6, 8}}));
    const auto wrong = reader->read({{1, 2, 3}, {6, 7}});
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().find("page 7: WRONG BYTES"), std::string::npos) << wrong.error();
    auto alone = Reader::open(file(), options_of(system, file(), budget_bytes), 1);
    ASSERT_TRUE(alone) << alone.error();
    EXPECT_TRUE(alone->read_one(9));
    EXPECT_FALSE(alone->read_one(7));
  }
}

TEST_F(Caches, every_question_has_an_answer_or_a_reason) {
  Bench bench(*files_, extent_, progress_);
  const nlohmann::json all = bench.measure();
  EXPECT_FALSE(bench.wrong_bytes());
  // The rows' second half of a trace, after its first half.
  constexpr std::uint64_t cache_pages = budget_bytes / 4096;
  const auto trace =
      cache::make_trace(cache::Pattern::zipfian, 4 * cache_pages, 8 * cache_pages, 1);
  const cache::Trace first(trace.begin(), trace.begin() + 4 * cache_pages);
  const auto hits = cache::hits_of(trace, Eviction::s3_fifo, cache_pages) -
                    cache::hits_of(first, Eviction::s3_fifo, cache_pages);
  const double expected_hits = static_cast<double>(hits) / (4 * cache_pages);
  EXPECT_EQ(all["rows"].size(), 72U);
  for (const auto& row : all["rows"]) {
    EXPECT_EQ(row["ops_per_second"].empty(), row["reason"] != "") << row;
    if (row["workload"] == "sequential" && (row["system"] == "pread" || row["system"] == "mmap")) {
      // Two windows of a stream, of twice the read-ahead by pread, fill the memory of the group.
      const double stream_bytes =
          static_cast<double>(read_ahead_bytes(file().path())) * (row["system"] == "pread" ? 4 : 2);
      const double most_bytes = std::min(stream_bytes * row["threads"].get<double>(),
                                         row["file_over_budget"].get<double>() * budget_bytes);
      const bool refused =
          row["reason"].get<std::string>().find("bytes ahead on this disk") != std::string::npos;
      if (refused || row["reason"] == "") {
        EXPECT_EQ(refused, most_bytes >= budget_bytes) << row;
      }
    }
    const bool ours = row["system"] == "direct_cached" || row["system"] == "uring_cached";
    if (!ours || row["reason"] != "" || row["hit_ratio"].is_null()) continue;
    if (row["file_over_budget"] <= 1.0) {
      EXPECT_GT(row["hit_ratio"], 0.999) << row << " fits";
    } else if (row["workload"] == "sequential") {
      EXPECT_LT(row["hit_ratio"], 0.3) << row;
    } else if (row["workload"] == "zipfian" && row["threads"] == 1) {
      EXPECT_NEAR(row["hit_ratio"], expected_hits, 0.01) << row << " is not what the policy hits";
    }
  }
  EXPECT_EQ(all["states"].size(), 12U);
  EXPECT_EQ(all["scan"]["lines"].size(), 5U);
  const std::size_t begins = all["scan"]["begins"];
  const std::size_t ends = all["scan"]["ends"];
  for (const auto& line : all["scan"]["lines"]) {
    if (line["reason"] != "") continue;
    ASSERT_EQ(line["hit_ratio"].size(), ends + begins) << line["name"];
    if (line["name"] != "s3-fifo" && line["name"] != "2q") continue;
    double before = 0;
    double within = 0;
    for (std::size_t i = 0; i < begins; ++i) before += line["hit_ratio"][i].get<double>();
    for (std::size_t i = begins; i < ends; ++i) within += line["hit_ratio"][i].get<double>();
    EXPECT_LT(before / static_cast<double>(begins) - within / static_cast<double>(ends - begins),
              0.05)
        << line["name"] << ": a scan of the file drives the hot set out";
  }
}

TEST(Policies, never_hit_more_than_the_optimum) {
  const auto compared = compare_policies("");
  ASSERT_TRUE(compared);
  ASSERT_EQ((*compared)["traces"].size(), 3U);
  for (const auto& trace : (*compared)["traces"]) {
    std::uint64_t last = 0;
    for (const auto& size : trace["sizes"]) {
      const std::uint64_t optimum = size["hits"]["optimum"];
      EXPECT_GT(optimum, last) << "more frames hit more";
      last = optimum;
      for (const auto& [name, hits] : size["hits"].items()) EXPECT_LE(hits, optimum) << name;
    }
  }
  EXPECT_FALSE(compare_policies("/nowhere/x.trace"));
}

}  // namespace
}  // namespace pagealloc::harness::caches
