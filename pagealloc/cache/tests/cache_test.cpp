// What the cache promises beyond the contract, which is tested on every way to open a file.
#include <algorithm>
#include <array>
#include <thread>

#include "pagealloc/cache/tests/fixture.h"
#include "pagealloc/os/sim/random.h"

namespace pagealloc::cache {
namespace {

constexpr std::array impls = {"direct", "uring"};

/// Submits them all together and waits for all.
void run(PageFile& file, std::vector<Op>& ops) {
  std::vector<Op*> batch;
  for (Op& op : ops) batch.push_back(&op);
  ASSERT_EQ(file.submit(batch), batch.size());
  std::vector<Op*> done(ops.size());
  std::size_t back = 0;
  while (back < ops.size()) back += file.reap(done, ops.size() - back);
}

// --- Reading ------------------------------------------------------------------------------------

TEST_F(Cached, a_batch_of_misses_is_one_submit) {
  Options options = options_of("uring", 128, 32);
  options.cache.readahead_bytes = 0;
  open(options, 400);
  ASSERT_TRUE(read_page(*file_, 399));
  const auto before = kernel_->calls();
  std::vector<Op> ops;
  for (PageId i = 0; i < 32; ++i) ops.push_back({.page = i * 7 % 32 * 12});
  run(*file_, ops);
  const auto after = kernel_->calls();
  EXPECT_EQ(after[os::Call::io_uring_enter] - before[os::Call::io_uring_enter], 1U);
  EXPECT_EQ(counters().misses, 33U);
  for (Op& op : ops) {
    ASSERT_EQ(op.result, Errc::ok);
    const auto expected = contents(op.page, 0);
    EXPECT_EQ(std::memcmp(op.frame, expected.data(), page_bytes), 0);
    file_->release(op.frame, 1);
  }
}

TEST_F(Cached, a_page_that_is_asked_for_twice_is_read_once) {
  for (const char* impl : impls) {
    open(options_of(impl, 64, 8), 100);
    std::vector<Op> ops(8, Op{.page = 50});
    run(*file_, ops);
    EXPECT_EQ(counters().misses, 1U) << impl;
    EXPECT_EQ(counters().hits, 7U) << impl;
    for (Op& op : ops) {
      EXPECT_EQ(op.frame, ops[0].frame) << "one frame, lent eight times";
      file_->release(op.frame, 1);
    }
  }
}

TEST_F(Cached, what_follows_is_read_ahead) {
  for (const char* impl : impls) {
    SCOPED_TRACE(impl);
    open(options_of(impl, 512, 8), 2000);
    for (PageId page = 0; page < 2000; ++page) expect_page(*file_, page, 0);
    const CacheCounters now = counters();
    EXPECT_LE(now.misses, 64U) << "of 2000";
    EXPECT_GE(now.ahead_used, 1900U);
    EXPECT_LE(now.ahead - now.ahead_used, 64U) << "beyond the end there is nothing";
  }
}

TEST_F(Cached, every_third_page_is_read_ahead_where_that_helps) {
  open(options_of("uring", 512, 8), 3000);
  for (PageId page = 0; page < 3000; page += 3) expect_page(*file_, page, 0);
  EXPECT_GE(counters().ahead_used, 900U);
  EXPECT_LE(counters().ahead_wasted, 16U);
  open(options_of("uring", 512, 8), 3000);
  for (PageId page = 3000; page > 0; --page) expect_page(*file_, page - 1, 0);
  EXPECT_GE(counters().ahead_used, 2800U) << "backwards";
}

TEST_F(Cached, random_reads_are_not_read_ahead) {
  for (const char* impl : impls) {
    open(options_of(impl, 512, 8), 4000);
    os::sim::Random random(3);
    for (int i = 0; i < 2000; ++i) expect_page(*file_, random.below(4000), 0);
    EXPECT_LE(counters().ahead, 64U) << impl;
  }
}

TEST_F(Cached, a_page_that_is_used_twice_is_still_part_of_a_stream) {
  for (const char* impl : impls) {
    open(options_of(impl, 512, 8), 1000);
    for (PageId page = 0; page < 1000; ++page) {
      expect_page(*file_, page, 0);
      expect_page(*file_, page, 0);
    }
    EXPECT_GE(counters().ahead_used, 900U) << impl;
  }
}

/// Some of what follows is there already: that is passed over, and costs no more than itself.
TEST_F(Cached, a_half_warm_file_is_read_ahead_too) {
  for (const char* impl : impls) {
    open(options_of(impl, 2000, 8), 1500);
    os::sim::Random random(1);
    for (int i = 0; i < 60; ++i) expect_page(*file_, random.below(1500), 0);
    const std::uint64_t before = counters().misses;
    for (PageId page = 0; page < 1500; ++page) expect_page(*file_, page, 0);
    EXPECT_LE(counters().misses - before, 150U) << impl;
  }
}

/// More pages than one call can name.
TEST_F(Cached, small_pages_are_read_ahead_in_many_pieces) {
  for (const char* impl : impls) {
    Options options = options_of(impl, 0, 8);
    options.page_bytes = 512;
    options.cache.bytes = 16384 * 512;
    options.cache.readahead_bytes = 2U << 20;
    options.create = true;
    kernel_ = std::make_unique<os::sim::SimKernel>(os::sim::Machine{});
    options.kernel = kernel_.get();
    auto file = pagealloc::open(file_path, options);
    ASSERT_TRUE(file) << file.error().text();
    ASSERT_TRUE((*file)->resize(20000));
    for (PageId page = 0; page < 20000; ++page) {
      const auto lent = read_page(**file, page);
      ASSERT_TRUE(lent) << lent.error().text();
    }
    EXPECT_LE((*file)->cache_counters().misses, 100U) << impl;
  }
}

/// Three in a row, and then somewhere else: a guess that is always wrong.
TEST_F(Cached, readahead_stops_when_it_is_wrong) {
  for (const char* impl : impls) {
    SCOPED_TRACE(impl);
    open(options_of(impl, 512, 8), 20000);
    os::sim::Random random(3);
    for (int i = 0; i < 600; ++i) {
      const PageId first = random.below(19990);
      for (PageId page = first; page < first + 3; ++page) ASSERT_TRUE(read_page(*file_, page));
    }
    EXPECT_GT(counters().ahead, 0U);
    EXPECT_LE(counters().ahead, 100U) << "of 1800 reads";
  }
}

TEST_F(Cached, a_cluster_is_read_with_the_page_that_is_missing) {
  for (const char* impl : impls) {
    SCOPED_TRACE(impl);
    Options options = options_of(impl, 256, 8);
    options.cache.readahead_bytes = 0;
    options.cache.cluster_bytes = 8 * page_bytes;
    open(options, 800);
    os::sim::Random random(1);
    for (PageId cluster = 0; cluster < 20; ++cluster) {
      expect_page(*file_, cluster * 8 + random.below(8), 0);
      const std::uint64_t misses = counters().misses;
      for (PageId page = cluster * 8; page < cluster * 8 + 8; ++page) expect_page(*file_, page, 0);
      EXPECT_EQ(counters().misses, misses) << "cluster " << cluster;
    }
    EXPECT_EQ(counters().ahead, 140U);
  }
}

TEST_F(Cached, a_bad_page_spoils_only_its_own_read) {
  for (const char* impl : impls) {
    SCOPED_TRACE(impl);
    Options options = options_of(impl, 256, 8);
    options.cache.cluster_bytes = 16 * page_bytes;
    open(options, 64);
    kernel_->make_unreadable(file_path, 5);
    for (PageId page = 0; page < 16; ++page) {
      if (page == 5) {
        const auto lent = read_page(*file_, page);
        ASSERT_FALSE(lent);
        EXPECT_EQ(lent.error().code, Errc::io);
      } else {
        expect_page(*file_, page, 0);
      }
    }
    EXPECT_EQ(file_->failed(), Errc::ok);
  }
}

TEST_F(Cached, what_is_lent_stays_while_all_else_goes) {
  for (const char* impl : impls) {
    open(options_of(impl, 16, 8), 300);
    std::vector<PageRef> lent;
    for (PageId page = 0; page < 7; ++page) {
      auto ref = read_page(*file_, page);
      ASSERT_TRUE(ref);
      lent.push_back(std::move(*ref));
    }
    for (PageId page = 7; page < 300; ++page) expect_page(*file_, page, 0);
    for (const PageRef& ref : lent) {
      const auto expected = contents(ref.page(), 0);
      EXPECT_EQ(std::memcmp(ref.bytes().data(), expected.data(), page_bytes), 0) << ref.page();
    }
  }
}

// --- Writing back -------------------------------------------------------------------------------

TEST_F(Cached, neighbours_are_written_together_in_order) {
  for (const char* impl : impls) {
    SCOPED_TRACE(impl);
    open(options_of(impl, 256, 8), 200);
    for (PageId i = 0; i < 40; ++i) {
      const PageId page = 100 + i * 17 % 40;
      ASSERT_TRUE(write_page(*file_, page, contents(page, 1)));
    }
    EXPECT_EQ(counters().written_back, 0U);
    ASSERT_TRUE(sync(*file_));
    EXPECT_EQ(counters().written_back, 40U);
    EXPECT_EQ(counters().writes, 1U);
    for (PageId page = 100; page < 140; ++page) EXPECT_EQ(medium(page), contents(page, 1));
  }
}

TEST_F(Cached, a_sync_covers_what_another_handle_wrote) {
  for (const char* impl : impls) {
    open(options_of(impl, 64, 8), 50);
    auto other = file_->another();
    ASSERT_TRUE(other) << other.error().text();
    ASSERT_TRUE(write_page(*file_, 3, contents(3, 1)));
    expect_page(**other, 3, 1);
    ASSERT_TRUE(write_page(**other, 3, contents(3, 2)));
    ASSERT_TRUE(write_page(**other, 4, contents(4, 2)));
    ASSERT_TRUE(sync(*file_));
    EXPECT_EQ(medium(3), contents(3, 2)) << impl;
    EXPECT_EQ(medium(4), contents(4, 2)) << impl;
  }
}

TEST_F(Cached, what_was_reaped_is_in_the_file_when_its_last_handle_has_gone) {
  for (const char* impl : impls) {
    open(options_of(impl, 64, 8), 50);
    auto other = file_->another();
    ASSERT_TRUE(write_page(*file_, 3, contents(3, 1)));
    file_.reset();
    expect_page(**other, 3, 1);
    other->reset();
    open_again(impl);
    expect_page(*file_, 3, 1);
  }
}

TEST_F(Cached, prefetch_stops_before_it_drives_out_what_it_brought) {
  for (const char* impl : impls) {
    SCOPED_TRACE(impl);
    open(options_of(impl, 64), 500);
    expect_page(*file_, 300, 0);
    ASSERT_TRUE(prefetch(*file_, 0, 400));
    const std::uint64_t ahead = counters().ahead;
    EXPECT_GT(ahead, 0U);
    EXPECT_LE(ahead, 64U / 4);
    const std::uint64_t misses = counters().misses;
    for (PageId page = 0; page < ahead; ++page) expect_page(*file_, page * 7 % ahead, 0);
    expect_page(*file_, 300, 0);
    EXPECT_EQ(counters().misses, misses) << "what was prefetched, or there before, has gone";
  }
}

TEST_F(Cached, many_dirty_pages_are_written_back_before_they_fill_it) {
  for (const char* impl : impls) {
    open(options_of(impl, 64, 8), 1000);
    for (PageId page = 0; page < 1000; ++page) {
      ASSERT_TRUE(write_page(*file_, page, contents(page, 1)));
      const std::uint64_t dirty = page + 1 - counters().written_back;
      ASSERT_LE(dirty, 64U / 2) << impl << ": more than half of the frames";
    }
    for (PageId page = 0; page < 1000; ++page) expect_page(*file_, page, 1);
  }
}

TEST_F(Cached, a_page_that_cannot_be_written_back_poisons_and_is_dropped) {
  for (const char* impl : impls) {
    open(options_of(impl, 64, 8), 50);
    ASSERT_TRUE(write_page(*file_, 3, contents(3, 1)));
    os::sim::FaultRates faults;
    faults[os::sim::Fault::write_error] = 1;
    kernel_->set_faults(faults);
    EXPECT_FALSE(sync(*file_));
    EXPECT_EQ(file_->failed(), Errc::poisoned);
    kernel_->set_faults({});
    EXPECT_FALSE(sync(*file_));
    EXPECT_FALSE(write_page(*file_, 4, contents(4, 1)));
    expect_page(*file_, 4, 0);
    EXPECT_TRUE(read_page(*file_, 3)) << "reading goes on, of what the medium has";
  }
}

/// Dirty pages of what fails stay: the operation has changed nothing, and they were reaped before.
TEST_F(Cached, what_was_reaped_survives_an_operation_that_fails_past_it) {
  for (const char* impl : impls) {
    open(options_of(impl, 64, 8), 50);
    ASSERT_TRUE(punch(*file_, 20));  // from now on a write may have to allocate
    ASSERT_TRUE(write_page(*file_, 3, contents(3, 1)));
    os::sim::FaultRates faults;
    faults[os::sim::Fault::disk_full] = 1;
    kernel_->set_faults(faults);
    alignas(4096) std::byte memory[2 * page_bytes] = {};
    std::vector<Op> ops{{.verb = Verb::write, .run = 2, .page = 3, .frame = memory}};
    run(*file_, ops);
    EXPECT_NE(ops[0].result, Errc::ok) << impl;
    kernel_->set_faults({});
    if (file_->failed() == Errc::ok) expect_page(*file_, 3, 1);
  }
}

// --- Handles ------------------------------------------------------------------------------------

/// What is lent, staged or read and not yet collected ends with its handle, and is there for
/// others.
TEST_F(Cached, a_handle_that_is_closed_gives_its_frames_back) {
  for (const char* impl : impls) {
    open(options_of(impl, 16, 4), 300);
    for (PageId turn = 0; turn < 20; ++turn) {
      auto other = file_->another();
      ASSERT_TRUE(other) << other.error().text();
      ASSERT_NE((*other)->stage(turn, 1), nullptr);
      std::vector<Op> ops(3);
      std::vector<Op*> batch;
      for (PageId i = 0; i < 3; ++i) {
        ops[i].page = turn * 10 + i + 1;
        batch.push_back(&ops[i]);
      }
      ASSERT_EQ((*other)->submit(batch), 3U);
      std::vector<Op*> done(1);
      ASSERT_EQ((*other)->reap(done, 1), 1U);
      other->reset();
    }
    for (PageId page = 0; page < 300; ++page) expect_page(*file_, page, 0);
  }
}

/// All that is guaranteed, by all handles at once.
TEST_F(Cached, every_handle_gets_the_frames_that_it_was_promised) {
  for (const char* impl : impls) {
    open(options_of(impl, 24, 5), 300);
    std::vector<std::unique_ptr<PageFile>> handles;
    handles.push_back(std::move(file_));
    for (auto more = handles[0]->another(); more; more = handles[0]->another()) {
      handles.push_back(std::move(*more));
    }
    EXPECT_EQ(handles.size(), 3U) << "three times five of 24, a quarter of which is for readahead";
    std::vector<PageRef> lent;
    for (PageId page = 0; page < 4; ++page) {
      for (PageId i = 0; i < handles.size(); ++i) {
        auto ref = read_page(*handles[i], page * 30 + i);
        ASSERT_TRUE(ref) << ref.error().text();
        lent.push_back(std::move(*ref));
      }
    }
    for (auto& handle : handles) {
      ASSERT_TRUE(write_page(*handle, 200, contents(200, 1)));
      EXPECT_TRUE(read_page(*handle, 201));
    }
    EXPECT_TRUE(sync(*handles[0]));
    lent.clear();
  }
}

/// Idle, but it may have read ahead; and the last one writes what is dirty.
TEST_F(Cached, a_handle_may_be_closed_by_another_thread) {
  for (const char* impl : impls) {
    open(options_of(impl, 256, 8), 600);
    auto other = file_->another();
    ASSERT_TRUE(other);
    std::jthread([&] {
      for (PageId page = 0; page < 100; ++page) expect_page(**other, page, 0);
      ASSERT_TRUE(write_page(**other, 3, contents(3, 1)));
    }).join();
    file_.reset();
    other->reset();
    open_again(impl);
    expect_page(*file_, 3, 1);
  }
}

// --- Everything at once -------------------------------------------------------------------------

/// Three handles, whatever comes, against a model.
TEST_F(Cached, is_a_file_to_all_its_handles) {
  for (const char* impl : impls) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      SCOPED_TRACE(testing::Message() << impl << ", seed " << seed);
      os::sim::Random random(seed);
      Options options = options_of(impl, 24, 4);
      options.cache.eviction = static_cast<Eviction>(seed % 4);
      options.cache.cluster_bytes = seed % 3 == 0 ? 4 * page_bytes : 0;
      options.write_through = seed % 5 == 0;
      constexpr std::uint64_t pages = 40;
      open(options, pages, os::sim::Machine{.seed = seed});
      std::vector<std::unique_ptr<PageFile>> handles;
      handles.push_back(std::move(file_));
      for (int i = 0; i < 2; ++i) {
        auto another = handles[0]->another();
        ASSERT_TRUE(another) << another.error().text();
        handles.push_back(std::move(*another));
      }
      std::vector<std::uint64_t> model(pages, 0);
      for (std::uint64_t version = 1; version <= 400; ++version) {
        PageFile& file = *handles[random.below(handles.size())];
        const PageId page = random.below(pages - 2);
        switch (random.below(8)) {
          case 0:
          case 1: {
            ASSERT_TRUE(write_page(file, page, contents(page, version)));
            model[page] = version;
            break;
          }
          case 2: {  // memory of the caller's, past the cache
            alignas(4096) std::byte memory[2 * page_bytes];
            for (PageId i = 0; i < 2; ++i) {
              const auto bytes = contents(page + i, version);
              std::memcpy(memory + i * page_bytes, bytes.data(), page_bytes);
              model[page + i] = version;
            }
            std::vector<Op> ops{{.verb = Verb::write, .run = 2, .page = page, .frame = memory}};
            run(file, ops);
            ASSERT_EQ(ops[0].result, Errc::ok);
            break;
          }
          case 3: {  // a run, past the cache
            auto lent = read_page(file, page, 2);
            ASSERT_TRUE(lent) << lent.error().text();
            for (PageId i = 0; i < 2; ++i) {
              const auto expected = contents(page + i, model[page + i]);
              ASSERT_EQ(
                  std::memcmp(lent->bytes().data() + i * page_bytes, expected.data(), page_bytes),
                  0)
                  << "page " << page + i;
            }
            break;
          }
          case 4:
            ASSERT_TRUE(!random.one_in(4) || sync(file));
            break;
          default:
            expect_page(file, page, model[page]);
        }
      }
      handles.resize(1);
      for (PageId page = 0; page < pages; ++page) expect_page(*handles[0], page, model[page]);
      ASSERT_TRUE(sync(*handles[0]));
      for (PageId page = 0; page < pages; ++page) {
        ASSERT_EQ(medium(page), contents(page, model[page])) << "page " << page;
      }
    }
  }
}

}  // namespace
}  // namespace pagealloc::cache
