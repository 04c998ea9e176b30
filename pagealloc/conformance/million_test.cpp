// A million operations on every implementation: no heap allocation between open and close, and
// io_uring_enter at most once for sixteen operations at depth 32.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>

#include "pagealloc/conformance/allocation_counter.h"
#include "pagealloc/conformance/variant.h"
#include "pagealloc/open.h"

namespace pagealloc::conformance {

namespace {

constexpr std::uint64_t pages = 256;
constexpr std::uint64_t operations = 1'000'000;
constexpr std::size_t depth = 32;

/// Where a million operations take seconds: memory, if it takes O_DIRECT as a disk does.
std::filesystem::path fast_directory() {
  const std::filesystem::path memory = "/dev/shm";
  return std::filesystem::is_directory(memory) ? memory : std::filesystem::current_path();
}

class Million : public ::testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    std::string name = (fast_directory() / "pagealloc-million-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    Options options = GetParam().options;
    options.create = true;
    options.depth = depth;
    options.frames = 2 * depth;
    auto file = open((directory_ / "file.pa").string(), options);
    if (!file && !machine_offers(GetParam(), directory_)) GTEST_SKIP() << file.error().cause;
    ASSERT_TRUE(file) << file.error().text();
    file_ = std::move(*file);
    ASSERT_TRUE(file_->resize(pages));
  }
  void TearDown() override {
    file_.reset();
    std::filesystem::remove_all(directory_);
  }

  /// Keeps 32 operations in flight until `count` are done, collecting 16 at a time. Every eighth
  /// slot writes, every 1024th operation is a sync. Slot s owns the pages that are s modulo 32, so
  /// nothing in flight overlaps.
  bool run(std::uint64_t count) {
    for (Op& op : ops_) batch_[batched_++] = &op;
    bool good = true;
    std::uint64_t started = 0;
    for (std::uint64_t done = 0; done < count;) {
      for (std::size_t i = 0; i < batched_; ++i) good = prepare(*batch_[i], started++) && good;
      good = file_->submit({batch_, batched_}) == batched_ && good;
      batched_ = file_->reap(batch_, depth / 2);
      if (batched_ == 0) return false;
      for (std::size_t i = 0; i < batched_; ++i) {
        good = batch_[i]->result == Errc::ok && good;
        if (batch_[i]->verb == Verb::read) file_->release(batch_[i]->frame, 1);
      }
      done += batched_;
    }
    executed_ = started;
    while (const std::size_t left = file_->reap(batch_, depth)) {
      for (std::size_t i = 0; i < left; ++i) {
        if (batch_[i]->verb == Verb::read) file_->release(batch_[i]->frame, 1);
      }
    }
    batched_ = 0;
    return good;
  }

  bool prepare(Op& op, std::uint64_t number) {
    const auto slot = static_cast<std::uint64_t>(&op - ops_);
    op = Op{.page = (slot + depth * (number % (pages / depth))) % pages};
    if (number % 1024 == 1023) {
      op.verb = Verb::sync;
    } else if (slot % 8 == 7) {
      op.verb = Verb::write;
      op.frame = file_->stage(op.page, 1);
      if (op.frame == nullptr) return false;
      std::memset(op.frame, static_cast<int>(number % 256), file_->geometry().page_bytes);
    }
    return true;
  }

  std::filesystem::path directory_;
  std::unique_ptr<PageFile> file_;
  Op ops_[depth];
  Op* batch_[depth];  // the first batched_ are free to be started
  std::size_t batched_ = 0;
  std::uint64_t executed_ = 0;  // by the last run()
};

}  // namespace

TEST_P(Million, allocates_nothing_and_enters_the_ring_rarely) {
  const std::uint64_t allocations_before = allocations();
  const os::CallCounts calls_before = os::linux_kernel().calls();
  const bool good = run(operations);
  const std::uint64_t allocated = allocations() - allocations_before;
  const std::uint64_t enters =
      os::linux_kernel().calls()[os::Call::io_uring_enter] - calls_before[os::Call::io_uring_enter];
  EXPECT_TRUE(good);
  EXPECT_EQ(allocated, 0U);
  EXPECT_GE(executed_, operations);
  EXPECT_LE(enters, executed_ / 16);
  RecordProperty("io_uring_enter", std::to_string(enters));
  std::printf("%s: %llu operations, %llu allocations, %llu io_uring_enter\n",
              GetParam().name.c_str(), static_cast<unsigned long long>(operations),
              static_cast<unsigned long long>(allocated), static_cast<unsigned long long>(enters));
}

INSTANTIATE_TEST_SUITE_P(Every, Million, ::testing::ValuesIn(variants()),
                         [](const auto& variant) { return variant.param.name; });

}  // namespace pagealloc::conformance
