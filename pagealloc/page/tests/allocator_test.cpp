// The allocator against a map of what was allocated, on a simulated machine.
#include "pagealloc/page/allocator.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>

#include "pagealloc/open.h"
#include "pagealloc/os/sim/kernel.h"
#include "pagealloc/page/field.h"
#include "pagealloc/random.h"

namespace pagealloc::page {
namespace {

constexpr const char* path = "/allocated.pa";

/// A file on a machine of its own, and what should be in it.
class World {
 public:
  explicit World(std::uint32_t page_bytes, os::sim::Machine machine = {},
                 const char* impl = "pread")
      : kernel_(std::move(machine)) {
    options_.impl = impl;
    options_.page_bytes = page_bytes;
    options_.create = true;
    options_.kernel = &kernel_;
    options_.depth = 4;
    options_.frames = 8;
    if (options_.impl == "mmap") options_.map_reserve_bytes = 64U << 20;
    auto file = pagealloc::open(path, options_);
    EXPECT_TRUE(file) << file.error().text();
    file_ = std::move(*file);
    auto made = Allocator::format(*file_, Identity{});
    EXPECT_TRUE(made) << made.error().text();
    allocator_ = std::make_unique<Allocator>(std::move(*made));
  }

  Allocator& allocator() { return *allocator_; }
  PageFile& file() { return *file_; }
  os::sim::SimKernel& kernel() { return kernel_; }
  std::uint64_t length_pages() { return file_->pages(); }

  /// Opens it again without a commit.
  Result<void> reopen() {
    allocator_.reset();
    file_.reset();
    auto file = pagealloc::open(path, options_);
    if (!file) return std::unexpected(file.error());
    file_ = std::move(*file);
    auto opened = Allocator::open(*file_);
    if (!opened) return std::unexpected(opened.error());
    allocator_ = std::make_unique<Allocator>(std::move(*opened));
    return {};
  }
  void overwrite(PageId page, std::size_t at, std::byte mask) {
    auto raw = read_raw(*file_, page, 1);
    ASSERT_TRUE(raw);
    raw->bytes()[at] ^= mask;
    ASSERT_TRUE(write_run(*file_, page, raw->bytes()));
  }

 private:
  os::sim::SimKernel kernel_;
  Options options_;
  std::unique_ptr<PageFile> file_;
  std::unique_ptr<Allocator> allocator_;
};

/// Random operations, and after each all that must hold.
class Script {
 public:
  Script(std::uint32_t page_bytes, std::uint64_t seed, const char* impl)
      : world_(page_bytes, {.seed = seed}, impl), random_(seed) {}

  void step() {
    switch (random_.below(16)) {
      case 0:
        return commit();
      case 1:
        return random_.one_in(2) ? reopen() : compact();
      case 2:
        return punch();
      case 3:
        return refuse();
      default:
        return random_.one_in(3) ? free() : allocate();
    }
  }

  void check() {
    Allocator& allocator = world_.allocator();
    std::uint64_t used = 0;
    std::uint64_t map = 0;
    for (PageId page = 0; page < allocator.pages();) {
      const State state = allocator.state(page);
      ASSERT_NE(state, State::inside) << "page " << page << " continues nothing";
      if (state != State::used) {
        ASSERT_FALSE(live_.contains(page)) << page;
        ++page;
        continue;
      }
      const std::uint32_t run = allocator.run_of(page);
      used += run;
      if (page < superblocks || allocator.is_map(page)) {
        ASSERT_FALSE(live_.contains(page)) << page;
        ASSERT_EQ(run, 1U);
        map += allocator.is_map(page) ? 1U : 0U;
      } else {
        ASSERT_TRUE(live_.contains(page)) << "page " << page << " is nobody's";
        ASSERT_EQ(run, live_.at(page).run);
      }
      page += run;
    }
    const Census census = allocator.census();
    ASSERT_EQ(census.used, used);
    ASSERT_EQ(census.map, map);
    std::uint64_t sum = superblocks + map;
    for (const auto& [page, object] : live_) sum += object.run;
    ASSERT_EQ(sum, used);
  }
  /// What was written is still there.
  void read_all() {
    for (const auto& [page, object] : live_) {
      const auto run = read_run(world_.file(), page, object.run, Type::overflow);
      ASSERT_TRUE(run) << run.error().text();
      ASSERT_EQ(load<std::uint64_t>(run->bytes().data() + header_bytes), object.mark);
    }
  }

 private:
  struct Object {
    std::uint32_t run;
    std::uint64_t mark;
  };

  void allocate() {
    const auto run = static_cast<std::uint32_t>(1 + random_.below(random_.one_in(8) ? 40 : 3));
    const auto page = world_.allocator().allocate(run);
    ASSERT_TRUE(page) << page.error().text();
    Buffer buffer(world_.file().geometry().page_bytes, run);
    const std::uint64_t mark = random_.next();
    store(buffer.bytes().data() + header_bytes, mark);
    const Header header{.type = Type::overflow,
                        .run = run,
                        .page = *page,
                        .transaction = world_.allocator().transaction()};
    ASSERT_TRUE(write(world_.file(), buffer, header));
    ASSERT_TRUE(live_.emplace(*page, Object{run, mark}).second) << "in use already";
  }
  void free() {
    if (live_.empty()) return;
    auto at = live_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_.below(live_.size())));
    const auto freed = world_.allocator().free(at->first);
    ASSERT_TRUE(freed) << freed.error().text();
    live_.erase(at);
  }
  void commit() {
    const auto done = world_.allocator().commit();
    ASSERT_TRUE(done) << done.error().text();
    committed_ = live_;
  }
  void compact() {
    const auto done = world_.allocator().compact();
    ASSERT_TRUE(done) << done.error().text();
    committed_ = live_;
    ASSERT_EQ(world_.length_pages(), world_.allocator().pages());
    read_all();
  }
  void reopen() {
    const auto done = world_.reopen();
    ASSERT_TRUE(done) << done.error().text();
    live_ = committed_;
    ASSERT_TRUE(world_.allocator().damaged().empty());
    read_all();
  }
  void punch() {
    Allocator& allocator = world_.allocator();
    const PageId page = random_.below(allocator.pages());
    const std::uint64_t count = 1 + random_.below(3);
    bool may = page + count <= allocator.pages();
    for (PageId at = page; may && at < page + count; ++at) {
      may = allocator.state(at) == State::free || allocator.state(at) == State::punched;
    }
    const Census before = allocator.census();
    const auto done = allocator.punch(page, count);
    if (!may) {
      ASSERT_FALSE(done) << "page " << page << " and " << count - 1 << " more";
      ASSERT_EQ(allocator.census().punched, before.punched);
    } else if (done) {
      committed_ = live_;
    } else {  // what the last commit needs
      ASSERT_GT(before.held, 0U);
      ASSERT_EQ(done.error().code, Errc::bad_argument) << done.error().text();
    }
  }
  void refuse() {
    Allocator& allocator = world_.allocator();
    const PageId page = random_.below(allocator.pages() + 2);
    if (live_.contains(page)) return;
    const auto freed = allocator.free(page);
    ASSERT_FALSE(freed) << "page " << page << " is nobody's to free";
    ASSERT_EQ(freed.error().code, page < allocator.pages() ? Errc::bad_argument : Errc::beyond_end);
    ASSERT_EQ(freed.error().page, page);
  }

  World world_;
  Random random_;
  std::map<PageId, Object> live_;
  std::map<PageId, Object> committed_;
};

TEST(Allocator, does_what_a_map_of_runs_does) {
  for (const char* impl : {"pread", "mmap", "direct", "uring"}) {
    for (const std::uint32_t page_bytes : {512U, 4096U, 65536U}) {
      for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        SCOPED_TRACE(std::string(impl) + ", pages of " + std::to_string(page_bytes) + ", seed " +
                     std::to_string(seed));
        Script script(page_bytes, seed, impl);
        for (unsigned i = 0; i < 400; ++i) {
          ASSERT_NO_FATAL_FAILURE(script.step()) << "step " << i;
          ASSERT_NO_FATAL_FAILURE(script.check()) << "step " << i;
        }
        script.read_all();
      }
    }
  }
}

/// A map of three levels, there and back.
TEST(Allocator, grows_and_shrinks_by_levels) {
  World world(512);
  Allocator& allocator = world.allocator();
  ASSERT_EQ(allocator.superblock().map_levels, 1U);
  std::vector<PageId> runs;
  for (unsigned i = 0; i < 4; ++i) {
    const auto page = allocator.allocate(20'000);
    ASSERT_TRUE(page) << page.error().text();
    runs.push_back(*page);
  }
  ASSERT_TRUE(allocator.commit());
  EXPECT_EQ(allocator.superblock().map_levels, 3U);
  ASSERT_TRUE(world.reopen());
  EXPECT_EQ(world.allocator().run_of(runs[3]), 20'000U);
  for (const PageId page : runs) ASSERT_TRUE(world.allocator().free(page));
  const auto compacted = world.allocator().compact();
  ASSERT_TRUE(compacted) << compacted.error().text();
  EXPECT_EQ(world.allocator().superblock().map_levels, 1U);
  EXPECT_LT(world.length_pages(), 10U);
  ASSERT_TRUE(world.reopen());
  EXPECT_EQ(world.allocator().census().used, superblocks + 1);
}

/// A file that is full has no more idle pages after compact() than its map needs to move once.
TEST(Allocator, compacts_a_file_without_holes_to_what_it_holds) {
  World world(512);
  for (unsigned i = 0; i < 300; ++i) {
    SCOPED_TRACE(i);
    ASSERT_TRUE(world.allocator().allocate(1 + i % 7));
    const auto compacted = world.allocator().compact();
    ASSERT_TRUE(compacted) << compacted.error().text();
    const Census census = world.allocator().census();
    ASSERT_LE(census.pages, census.used + census.map);
    ASSERT_EQ(world.length_pages(), census.pages);
  }
}

TEST(Allocator, hands_nothing_out_that_the_last_commit_needs) {
  World world(4096);
  const auto page = world.allocator().allocate();
  ASSERT_TRUE(page);
  ASSERT_TRUE(world.allocator().commit());
  ASSERT_TRUE(world.allocator().free(*page));
  std::set<PageId> got;
  for (unsigned i = 0; i < 100; ++i) got.insert(*world.allocator().allocate());
  EXPECT_FALSE(got.contains(*page));
  ASSERT_TRUE(world.allocator().commit());
  EXPECT_EQ(world.allocator().allocate(), *page) << "the lowest, and free now";
}

TEST(Allocator, what_was_never_committed_is_free_at_once) {
  World world(4096);
  const auto page = world.allocator().allocate(3);
  ASSERT_TRUE(page);
  ASSERT_TRUE(world.allocator().free(*page));
  EXPECT_EQ(world.allocator().allocate(), *page);
}

TEST(Allocator, says_why_a_page_cannot_be_freed) {
  World world(4096);
  Allocator& allocator = world.allocator();
  const auto page = allocator.allocate(3);
  ASSERT_TRUE(page);
  const auto cause = [&](PageId at) { return allocator.free(at).error().text(); };
  EXPECT_EQ(cause(2), "/allocated.pa: page 2 (offset 8192): cannot be freed, it is a superblock");
  EXPECT_EQ(cause(*page + 1),
            "/allocated.pa: page 6 (offset 24576): cannot be freed, it is inside of a run");
  EXPECT_EQ(cause(*page + 3),
            "/allocated.pa: page 8 (offset 32768): cannot be freed, it is free already");
  EXPECT_EQ(cause(1000),
            "/allocated.pa: page 1000 (offset 4096000): cannot be freed, there are 16 "
            "pages");
  EXPECT_EQ(cause(4),
            "/allocated.pa: page 4 (offset 16384): cannot be freed, it is the free map's "
            "own");
  EXPECT_EQ(allocator.allocate(0).error().code, Errc::bad_argument);
  EXPECT_EQ(allocator.allocate(300'000).error().text(),
            "/allocated.pa: a run of 300000 pages; 1 to 262144 can be had");
}

/// Who has filled the disk must be able to free: the map always has a place to be written to. With
/// small pages it has several, and all of them move.
TEST(Allocator, a_full_disk_can_be_got_over) {
  for (const std::uint32_t page_bytes : {512U, 4096U}) {
    SCOPED_TRACE(page_bytes);
    constexpr std::uint64_t capacity_bytes = 1U << 20;
    World world(page_bytes, {.capacity_bytes = capacity_bytes});
    Allocator& allocator = world.allocator();
    std::vector<PageId> got;
    auto page = allocator.allocate();
    for (; page; page = allocator.allocate()) got.push_back(*page);
    ASSERT_EQ(page.error().code, Errc::disk_full) << page.error().text();
    EXPECT_GT(got.size(), capacity_bytes / page_bytes - 16);
    const auto filled = allocator.commit();
    ASSERT_TRUE(filled) << filled.error().text();
    const Census full = allocator.census();
    for (const PageId each : got) ASSERT_TRUE(allocator.free(each));
    const auto freed = allocator.commit();
    ASSERT_TRUE(freed) << freed.error().text();
    EXPECT_EQ(allocator.census().used, full.used - got.size());
    EXPECT_TRUE(allocator.allocate(200));
  }
}

/// A superblock that has arrived in part may be found by the next open(): what it points to must
/// not change any more, whatever is tried after the failure.
TEST(Allocator, a_commit_that_failed_half_way_is_the_last) {
  unsigned refused = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(4096, {.seed = seed});
    Allocator& allocator = world.allocator();
    ASSERT_TRUE(allocator.allocate());
    ASSERT_TRUE(allocator.commit());
    os::sim::FaultRates rates;
    rates[os::sim::Fault::disk_full] = 3;
    bool acknowledged = false;
    for (int i = 0; i < 3 && !acknowledged; ++i) {
      const auto page = allocator.allocate();
      if (!page) {
        ASSERT_EQ(page.error().code, Errc::poisoned);
        ++refused;
        ASSERT_EQ(allocator.commit().error().code, Errc::poisoned);
        ASSERT_EQ(allocator.free(4).error().code, Errc::poisoned);
        ASSERT_EQ(allocator.compact().error().code, Errc::poisoned);
        break;
      }
      world.kernel().set_faults(rates);
      acknowledged = allocator.commit().has_value();
      world.kernel().set_faults({});
    }
    const auto again = world.reopen();
    ASSERT_TRUE(again) << again.error().text();
    ASSERT_TRUE(world.allocator().allocate());
    ASSERT_TRUE(world.allocator().commit());
  }
  EXPECT_GT(refused, 20U) << "no commit failed half way";
}

/// A power cut may leave a file that is longer than its last commit knew, and it stays so long.
TEST(Allocator, a_longer_file_is_not_cut_off_by_growing) {
  World world(4096);
  const std::uint64_t pages = world.allocator().pages();
  ASSERT_TRUE(world.file().resize(pages + 1000));
  ASSERT_TRUE(world.reopen());
  ASSERT_EQ(world.allocator().pages(), pages);
  ASSERT_TRUE(world.allocator().allocate(static_cast<std::uint32_t>(pages)));
  EXPECT_EQ(world.length_pages(), pages + 1000);
}

/// A punched page has no blocks, and gets them before anybody relies on it.
TEST(Allocator, a_full_disk_shows_when_a_punched_page_is_allocated) {
  World world(4096, {.capacity_bytes = 1U << 20});
  Allocator& allocator = world.allocator();
  const auto first = allocator.allocate(100);
  ASSERT_TRUE(first);
  ASSERT_TRUE(allocator.commit());
  ASSERT_TRUE(allocator.free(*first));
  ASSERT_TRUE(allocator.compact());
  // What was given back is taken by somebody else.
  Options options;
  options.create = true;
  options.kernel = &world.kernel();
  auto other = pagealloc::open("/other.pa", options);
  ASSERT_TRUE(other);
  std::uint64_t pages = 0;
  while ((*other)->resize(pages + 1)) ++pages;
  const Census before = allocator.census();
  const auto page = allocator.allocate(50);
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, Errc::disk_full);
  EXPECT_EQ(allocator.census().used, before.used);
  EXPECT_EQ(allocator.census().punched, before.punched);
}

// --- Damage -------------------------------------------------------------------------------------

TEST(Opening, one_copy_of_a_superblock_may_go_bad) {
  for (PageId page = 0; page < superblocks; ++page) {
    World world(4096);
    ASSERT_TRUE(world.allocator().allocate());
    ASSERT_TRUE(world.allocator().commit());
    world.overwrite(page, 100, std::byte{1});
    const auto opened = world.reopen();
    ASSERT_TRUE(opened) << opened.error().text();
    ASSERT_EQ(world.allocator().damaged().size(), 1U) << page;
    EXPECT_EQ(world.allocator().damaged().front().page, page);
    EXPECT_TRUE(world.kernel().everything_durable()) << "what was mended is as safe as it was";
    EXPECT_EQ(world.allocator().superblock().commit, 1U);
    ASSERT_TRUE(world.reopen());
    EXPECT_TRUE(world.allocator().damaged().empty()) << "it was written again";
  }
}

TEST(Opening, a_damaged_map_is_said_to_be_one) {
  World world(4096);
  ASSERT_TRUE(world.allocator().allocate());
  ASSERT_TRUE(world.allocator().commit());
  const PageId root = world.allocator().superblock().map_root;
  world.overwrite(root, 1000, std::byte{1});
  const auto opened = world.reopen();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::damaged);
  EXPECT_EQ(opened.error().page, root);
}

/// A map page of another commit, whole and at its place, as a lost write leaves one.
TEST(Opening, an_older_page_of_the_map_is_not_taken_for_the_new_one) {
  World world(4096);
  ASSERT_TRUE(world.allocator().allocate());
  ASSERT_TRUE(world.allocator().commit());
  const PageId root = world.allocator().superblock().map_root;
  auto older = read_raw(world.file(), root, 1);
  while (world.allocator().superblock().map_root != root ||
         world.allocator().superblock().commit == 1) {
    const auto page = world.allocator().allocate();
    ASSERT_TRUE(page && world.allocator().commit());
    ASSERT_TRUE(world.allocator().free(*page) && world.allocator().commit());
    ASSERT_LT(world.allocator().superblock().commit, 20U) << "the page is never used again";
  }
  ASSERT_TRUE(write_run(world.file(), root, older->bytes()));
  const auto opened = world.reopen();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().text().find("an older page"), std::string::npos)
      << opened.error().text();
}

TEST(Opening, a_file_that_was_cut_off_is_said_to_be) {
  World world(4096);
  ASSERT_TRUE(world.file().resize(10));
  const auto opened = world.reopen();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::truncated);
  EXPECT_NE(opened.error().text().find("its last commit has 16 pages, and here are 10"),
            std::string::npos)
      << opened.error().text();
}

TEST(Opening, what_is_no_structured_file_is_said_to_be_none) {
  World world(4096);
  for (const std::uint64_t pages : {4U, 1U, 16U}) {
    ASSERT_TRUE(world.file().resize(0));
    ASSERT_TRUE(world.file().resize(pages));
    const auto opened = world.reopen();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::not_page_file);
  }
}

TEST(Formatting, takes_an_empty_file_only) {
  World world(4096);
  const auto again = Allocator::format(world.file(), Identity{});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::bad_argument);
}

}  // namespace
}  // namespace pagealloc::page
