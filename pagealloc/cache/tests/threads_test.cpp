// Eight threads with a handle each on one cached file of a real disk, all at it at the same time.
// What a thread wrote it must read, whatever the others, readahead and the write back do meanwhile.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

#include "pagealloc/open.h"
#include "pagealloc/random.h"

namespace pagealloc::cache {
namespace {

constexpr std::uint64_t handles = 8;
constexpr std::uint64_t pages = 2048;
constexpr std::size_t page_bytes = 4096;

/// Rounds of each thread; more of them by hand: PAGEALLOC_ROUNDS=1000.
std::uint64_t rounds() {
  const char* const text = std::getenv("PAGEALLOC_ROUNDS");
  return text == nullptr ? 4 : std::stoull(text);
}

std::uint64_t word_of(PageId page, std::uint64_t version) {
  return (page << 32 | version) * 0x9E3779B97F4A7C15ULL;
}

/// Every eighth page is this thread's: so its neighbours are others', and transfers of many pages
/// are everybody's.
class Worker {
 public:
  Worker(PageFile& file, std::uint64_t number)
      : file_(file), number_(number), random_(number), versions_(pages / handles, 0) {}

  void run() {
    for (std::uint64_t round = 1; round <= rounds() && !::testing::Test::HasFatalFailure();
         ++round) {
      for (int i = 0; i < 400; ++i) act(round * 1000 + static_cast<std::uint64_t>(i));
      const auto synced = sync(file_);
      ASSERT_TRUE(synced) << synced.error().text();
      for (std::uint64_t mine = 0; mine < versions_.size(); ++mine) check(mine);
    }
  }

 private:
  PageId page_of(std::uint64_t mine) const { return mine * handles + number_; }

  void act(std::uint64_t version) {
    const std::uint64_t mine = random_.below(versions_.size());
    const PageId page = page_of(mine);
    const std::uint64_t what = random_.below(16);
    if (what < 6) return check(mine);
    alignas(page_bytes) std::byte bytes[page_bytes];
    for (std::size_t i = 0; i < page_bytes; i += sizeof(std::uint64_t)) {
      const std::uint64_t word = word_of(page, version);
      std::memcpy(bytes + i, &word, sizeof word);
    }
    if (what < 14) {
      const auto written = write_page(file_, page, bytes);
      ASSERT_TRUE(written) << written.error().text();
    } else {  // past the cache
      Op op{.verb = Verb::write, .page = page, .frame = bytes};
      Op* batch[] = {&op};
      Op* done[1];
      ASSERT_EQ(file_.submit(batch), 1U);
      ASSERT_EQ(file_.reap(done, 1), 1U);
      ASSERT_EQ(op.result, Errc::ok) << error_of(file_, op).text();
    }
    versions_[mine] = version;
  }

  void check(std::uint64_t mine) {
    const PageId page = page_of(mine);
    const auto lent = read_page(file_, page);
    ASSERT_TRUE(lent) << lent.error().text();
    const std::uint64_t expected = versions_[mine] == 0 ? 0 : word_of(page, versions_[mine]);
    for (std::size_t i = 0; i < page_bytes; i += sizeof(std::uint64_t)) {
      std::uint64_t word = 0;
      std::memcpy(&word, lent->bytes().data() + i, sizeof word);
      ASSERT_EQ(word, expected) << "page " << page << ", byte " << i;
    }
  }

  PageFile& file_;
  std::uint64_t number_;
  Random random_;
  std::vector<std::uint64_t> versions_;  // of this thread's pages; 0: zeros
};

TEST(Threads, read_what_they_wrote) {
  const auto directory = std::filesystem::current_path() / fmt::format("threads-{}", getpid());
  std::filesystem::create_directory(directory);
  for (const char* impl : {"direct", "uring"}) {
    SCOPED_TRACE(impl);
    Options options;
    options.impl = impl;
    options.create = true;
    options.depth = 8;
    options.frames = 8;
    // Eight times the cache may be more than may be locked.
    options.registered_buffers = options.impl != "uring";
    options.cache.bytes = 512 * page_bytes;
    options.cache.cluster_bytes = 8 * page_bytes;
    auto file = open((directory / impl).string(), options);
    if (!file && file.error().code == Errc::not_available) {
      fmt::print("{}\n", file.error().text());
      continue;
    }
    ASSERT_TRUE(file) << file.error().text();
    ASSERT_TRUE((*file)->resize(pages));
    for (PageId page = 0; page < pages; ++page) ASSERT_TRUE(write_page(**file, page, {}));
    std::vector<std::unique_ptr<PageFile>> all;
    for (std::uint64_t i = 0; i < handles; ++i) {
      auto another = (*file)->another();
      ASSERT_TRUE(another) << another.error().text();
      all.push_back(std::move(*another));
    }
    {
      std::vector<std::jthread> threads;
      for (std::uint64_t i = 0; i < handles; ++i) {
        threads.emplace_back([&, i] { Worker(*all[i], i).run(); });
      }
    }
    EXPECT_EQ((*file)->failed(), Errc::ok);
    const CacheCounters counters = (*file)->cache_counters();
    EXPECT_GT(counters.evictions, 0U);
    EXPECT_GT(counters.ahead, 0U);
    EXPECT_GT(counters.merged(), 0U) << "neighbours were never written together";
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace pagealloc::cache
