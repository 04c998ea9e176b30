// After the disk has failed once nothing that is written is acknowledged any more, on any handle,
// and nothing that is only in the page cache is served to the next process.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "pagealloc/open.h"
#include "pagealloc/os/sim/kernel.h"
#include "pagealloc/ways.h"

namespace pagealloc::crash {
namespace {

using os::sim::Fault;
using os::sim::Machine;
using os::sim::SimKernel;

constexpr const char* path = "/file.pa";
constexpr std::uint64_t pages = 8;

class Poison : public ::testing::TestWithParam<Way> {
 protected:
  Options options_on(SimKernel& kernel) const {
    Options options = GetParam().options;
    options.kernel = &kernel;
    return options;
  }
  /// A medium with a file of zeros.
  os::sim::Image medium() const {
    SimKernel kernel(Machine{});
    Options options = options_on(kernel);
    options.create = true;
    auto file = open(path, options);
    EXPECT_TRUE(file) << file.error().text();
    EXPECT_TRUE((*file)->resize(pages));
    for (PageId page = 0; page < pages; ++page) EXPECT_TRUE(write_page(**file, page, {}));
    EXPECT_TRUE(sync(**file));
    file->reset();
    return kernel.cut(os::sim::Tearing::none);
  }
};

/// Writes and syncs until one of them fails; false when nothing did.
bool fails_at_last(PageFile& file) {
  const std::byte bytes[] = {std::byte{'x'}};
  for (PageId turn = 0; turn < 30; ++turn) {
    if (!write_page(file, turn % pages, bytes) || !sync(file)) return true;
  }
  return false;
}

void expect_poisoned(PageFile& file) {
  EXPECT_EQ(file.failed(), Errc::poisoned);
  for (int again = 0; again < 2; ++again) {
    const auto synced = sync(file);
    EXPECT_TRUE(!synced && synced.error().code == Errc::poisoned);
    const auto written = write_page(file, 1, {});
    EXPECT_TRUE(!written && written.error().code == Errc::poisoned);
    EXPECT_FALSE(punch(file, 1));
    EXPECT_FALSE(file.resize(2 * pages));
  }
}

TEST_P(Poison, every_handle_for_good) {
  const os::sim::Image image = medium();
  for (const Fault fault : {Fault::sync_error, Fault::write_error, Fault::flush_error}) {
    unsigned failures = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      SCOPED_TRACE(fmt::format("{}, seed {}", os::sim::fault_names[static_cast<int>(fault)], seed));
      Machine machine{.seed = seed, .image = image};
      machine.faults[fault] = 4;
      SimKernel kernel(machine);
      auto file = open(path, options_on(kernel));
      if (!file) continue;  // it failed already while it was opened, and says so
      auto other = (*file)->another();
      ASSERT_TRUE(other) << other.error().text();
      if (!fails_at_last(**file)) continue;
      ++failures;
      expect_poisoned(**file);
      expect_poisoned(**other);
    }
    const Options& options = GetParam().options;
    const bool past_cache =
        options.impl == "direct" || (options.impl == "uring" && options.direct != Direct::off);
    const bool cannot = fault == (past_cache ? Fault::sync_error : Fault::write_error);
    EXPECT_EQ(failures > 0, !cannot) << os::sim::fault_names[static_cast<int>(fault)];
  }
}

/// Linux marks pages that could not be written clean and keeps them: who opens the file next would
/// read them, and lose them with the power.
TEST_P(Poison, what_was_not_written_is_not_served_to_the_next) {
  const os::sim::Image image = medium();
  unsigned compared = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Machine machine{.seed = seed, .image = image};
    machine.faults[Fault::sync_error] = 3;
    machine.faults[Fault::flush_error] = 5;
    SimKernel kernel(machine);
    {
      auto file = open(path, options_on(kernel));
      if (!file || !fails_at_last(**file)) continue;
    }
    auto next = open(path, options_on(kernel));
    if (!next) continue;
    ++compared;
    const os::sim::Image left = kernel.cut(os::sim::Tearing::none);
    for (PageId page = 0; page < pages; ++page) {
      auto lent = read_page(**next, page);
      ASSERT_TRUE(lent) << lent.error().text();
      const std::byte* const on_medium =
          left.files.at(path).bytes.data() + page * lent->bytes().size();
      EXPECT_EQ(std::memcmp(lent->bytes().data(), on_medium, lent->bytes().size()), 0)
          << "page " << page << " would be lost with the power";
    }
  }
  EXPECT_GT(compared, 5U);
}

INSTANTIATE_TEST_SUITE_P(Simulated, Poison, ::testing::ValuesIn(ways()),
                         [](const auto& way) { return std::string(way.param.name); });

}  // namespace
}  // namespace pagealloc::crash
