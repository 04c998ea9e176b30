// Coroutines over page files: order, errors, and the pool that never grows.
#include "pagealloc/future.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "pagealloc/conformance/allocation_counter.h"
#include "pagealloc/conformance/variant.h"
#include "pagealloc/open.h"

namespace pagealloc {
namespace {

class FutureTest : public ::testing::TestWithParam<std::string_view> {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::current_path() / "future-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    Options options{.impl = std::string(GetParam()), .create = true};
    auto file = open((directory_ / "file.pa").string(), options);
    if (!file &&
        !conformance::machine_offers({.name = options.impl, .options = options}, directory_)) {
      GTEST_SKIP() << file.error().cause;
    }
    ASSERT_TRUE(file) << file.error().text();
    file_ = std::move(*file);
    ASSERT_TRUE(file_->resize(16));
  }
  void TearDown() override {
    file_.reset();
    std::filesystem::remove_all(directory_);
  }
  std::filesystem::path directory_;
  std::unique_ptr<PageFile> file_;
};

Task put(Loop& loop, PageId page, int value, Errc& result) {
  std::byte* frame = loop.file().stage(page, 1);
  if (frame == nullptr) {
    result = Errc::no_frames;
    co_return;
  }
  std::memset(frame, value, loop.file().geometry().page_bytes);
  const Op op = co_await loop.write(page, frame);
  result = op.result;
}

Task sum_of_two(Loop& loop, PageId a, PageId b, int& sum) {
  Future first = loop.read(a);  // both are on their way before either is awaited
  Future second = loop.read(b);
  const Op one = co_await first;
  const Op two = co_await second;
  if (one.result != Errc::ok || two.result != Errc::ok) co_return;
  sum = static_cast<int>(one.frame[0]) + static_cast<int>(two.frame[100]);
  loop.file().release(one.frame, 1);
  loop.file().release(two.frame, 1);
}

Task await_twice(Loop& loop) {
  Future future = loop.sync();
  (void)co_await future;
  (void)co_await future;
}

Task await(Loop&, Future& future) { (void)co_await future; }

Task drop(Loop& loop, PageId page) {
  (void)loop.read(page);
  co_return;
}

Task read_into(Loop& loop, PageId page, Errc& result) {
  const Op op = co_await loop.read(page);
  result = op.result;
  loop.file().release(op.frame, 1);
}

TEST_P(FutureTest, operations_run_together_and_results_arrive) {
  Loop loop(*file_);
  Errc results[16];
  for (PageId page = 0; page < 16; ++page) {
    results[page] = Errc::io;
    ASSERT_TRUE(put(loop, page, static_cast<int>(page), results[page]));
  }
  loop.run();
  for (const Errc result : results) EXPECT_EQ(result, Errc::ok);
  int sum = -1;
  ASSERT_TRUE(sum_of_two(loop, 3, 9, sum));
  EXPECT_EQ(sum, -1) << "nothing is done before the loop steps";
  loop.run();
  EXPECT_EQ(sum, 12);
}

TEST_P(FutureTest, an_error_is_a_value) {
  Loop loop(*file_);
  Errc result = Errc::ok;
  ASSERT_TRUE(read_into(loop, 99, result));
  loop.run();
  EXPECT_EQ(result, Errc::beyond_end);
}

TEST_P(FutureTest, a_dropped_future_gives_its_frame_back) {
  Loop loop(*file_);
  for (std::uint32_t i = 0; i < 3 * file_->geometry().frames; ++i) {
    ASSERT_TRUE(drop(loop, i % 16)) << i;
    loop.run();
  }
  Errc result = Errc::io;
  ASSERT_TRUE(read_into(loop, 1, result));
  loop.run();
  EXPECT_EQ(result, Errc::ok);
}

TEST_P(FutureTest, no_room_is_said_and_nothing_allocates) {
  Loop loop(*file_, {.tasks = 2, .task_bytes = 1024, .operations = 1});
  Errc one = Errc::io;
  Errc two = Errc::io;
  Errc three = Errc::io;
  ASSERT_TRUE(read_into(loop, 1, one));
  loop.run();  // the first use may start the ring
  const std::uint64_t before = conformance::allocations();
  const bool first = static_cast<bool>(read_into(loop, 1, one));
  const bool second = static_cast<bool>(read_into(loop, 2, two));
  const bool third = static_cast<bool>(read_into(loop, 3, three));
  loop.run();
  const std::uint64_t after = conformance::allocations();
  EXPECT_TRUE(first);
  EXPECT_EQ(one, Errc::ok);
  EXPECT_TRUE(second);
  EXPECT_EQ(two, Errc::no_frames) << "one operation at a time was agreed";
  EXPECT_TRUE(third) << "the second task is over, so its place is free";
  EXPECT_EQ(after, before);

  Loop cramped(*file_, {.tasks = 1, .task_bytes = 16, .operations = 1});
  EXPECT_FALSE(read_into(cramped, 1, one)) << "its frame does not fit";
}

TEST_P(FutureTest, awaiting_twice_ends_the_process) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(
      {
        Loop loop(*file_);
        (void)await_twice(loop);
        loop.run();
      },
      "awaited twice");
  EXPECT_DEATH(
      {
        Loop loop(*file_);
        Future future = loop.sync();
        (void)await(loop, future);
        (void)await(loop, future);
      },
      "awaited by two coroutines");
}

INSTANTIATE_TEST_SUITE_P(Every, FutureTest, ::testing::ValuesIn(implementations()),
                         [](const auto& impl) { return std::string(impl.param); });

}  // namespace
}  // namespace pagealloc
