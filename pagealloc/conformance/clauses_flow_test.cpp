// Clauses 1 to 4, 14, 17 and 18: how operations and frames flow between the caller and the file.
#include <algorithm>
#include <cstring>
#include <set>
#include <thread>

#include "pagealloc/conformance/allocation_counter.h"
#include "pagealloc/conformance/contract.h"

namespace pagealloc::conformance {

TEST_P(Contract, C01_submit_takes_a_prefix_in_order) {
  std::vector<Op> ops(11);  // before the file, which may still have them in flight when it goes
  std::vector<Op*> batch;
  auto file = open_filled(16);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    ops[i] = Op{.page = i, .user = 100 + i};
    batch.push_back(&ops[i]);
  }
  ASSERT_EQ(file->geometry().depth_max, 8U);
  ASSERT_EQ(file->submit(batch), 8U) << "submit must stop at depth_max and say so";
  EXPECT_EQ(file->submit(std::span(batch).subspan(8)), 0U) << "no room, and it must not wait";

  std::vector<Op*> done(16);
  ASSERT_EQ(file->reap(done, 8), 8U);
  std::set<std::uint64_t> users;
  for (std::size_t i = 0; i < 8; ++i) {
    users.insert(done[i]->user);
    EXPECT_EQ(done[i]->result, Errc::ok);
    file->release(done[i]->frame, 1);
  }
  EXPECT_EQ(*users.begin(), 100U);
  EXPECT_EQ(*users.rbegin(), 107U) << "what was taken must be the first eight";
  EXPECT_EQ(file->submit(std::span(batch).subspan(8)), 3U) << "room again after reap";
  EXPECT_EQ(file->reap(done, 3), 3U);
}

TEST_P(Contract, C01_submit_never_waits_for_earlier_operations) {
  if (is("uring")) {
    // Queued in user memory: the system call comes with reap.
    auto file = open_filled(4);
    Op op{.page = 1};
    Op* batch[] = {&op};
    const auto before = kernel_.calls();
    EXPECT_EQ(file->submit(batch), 1U);
    EXPECT_EQ(kernel_.calls()[os::Call::io_uring_enter], before[os::Call::io_uring_enter]);
    Op* done[1];
    EXPECT_EQ(file->reap(done, 1), 1U);
  } else if (GetParam().options.threads > 0) {
    auto file = open_filled(8);
    kernel_.hold_reads(true);  // no read can end now, so a submit that waits would never return
    std::vector<Op> ops(8);
    for (std::size_t i = 0; i < ops.size(); ++i) ops[i].page = i;
    for (Op& op : ops) {
      Op* batch[] = {&op};
      EXPECT_EQ(file->submit(batch), 1U);
    }
    Op extra;
    Op* batch[] = {&extra};
    EXPECT_EQ(file->submit(batch), 0U);
    Op* done[8];
    EXPECT_EQ(file->reap(done, 0), 0U) << "nothing can be done yet, and 0 means do not wait";
    kernel_.hold_reads(false);
    EXPECT_EQ(file->reap(done, 8), 8U);
  } else {
    // A blocking implementation executes inside submit: it has nothing to wait for.
    auto file = open_filled(4);
    Op op{.page = 1};
    Op* batch[] = {&op};
    Op* done[1];
    EXPECT_EQ(file->submit(batch), 1U);
    EXPECT_EQ(file->reap(done, 0), 1U) << "over when submit returned, so polling finds it";
  }
}

TEST_P(Contract, C02_every_operation_comes_back_exactly_once) {
  auto file = open_filled(16);
  std::vector<Op> ops(40);
  for (std::size_t i = 0; i < ops.size(); ++i) ops[i].page = i % 16;
  std::multiset<Op*> back;
  std::size_t submitted = 0;
  for (int turn = 0; turn < 100 && back.size() < ops.size(); ++turn) {
    std::vector<Op*> batch;
    for (std::size_t i = submitted; i < ops.size(); ++i) batch.push_back(&ops[i]);
    submitted += file->submit(batch);
    std::vector<Op*> done(8);
    done.resize(file->reap(done, 8));
    for (Op* op : done) file->release(op->frame, 1);
    back.insert(done.begin(), done.end());
  }
  EXPECT_EQ(back.size(), ops.size());
  for (Op& op : ops) EXPECT_EQ(back.count(&op), 1U);
}

TEST_P(Contract, C02_reap_returns_what_is_in_flight_when_asked_for_more) {
  auto file = open_filled(4);
  std::vector<Op*> done(8);
  EXPECT_EQ(file->reap(done, 8), 0U) << "nothing in flight: nothing to wait for";
  Op ops[3] = {Op{.page = 0}, Op{.page = 1}, Op{.page = 2}};
  Op* batch[] = {&ops[0], &ops[1], &ops[2]};
  ASSERT_EQ(file->submit(batch), 3U);
  EXPECT_EQ(file->reap(done, 8), 3U);
  EXPECT_EQ(file->reap(done, 8), 0U);
}

TEST_P(Contract, C02_closing_waits_for_what_is_in_flight) {
  auto file = open_filled(8);
  const auto bytes = pattern(5, 1);
  std::byte* frame = file->stage(5, 1);
  ASSERT_NE(frame, nullptr);
  std::memcpy(frame, bytes.data(), bytes.size());
  Op op{.verb = Verb::write, .page = 5, .frame = frame};
  Op* batch[] = {&op};
  ASSERT_EQ(file->submit(batch), 1U);
  file.reset();
  EXPECT_EQ(raw_page(5), bytes) << "a submitted write was lost by closing";
}

TEST_P(Contract, C03_completions_are_pulled_at_the_callers_pace) {
  auto file = open_filled(8);
  std::vector<Op> ops(6);
  std::vector<Op*> batch;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    ops[i] = Op{.page = i, .user = 7000 + i};
    batch.push_back(&ops[i]);
  }
  ASSERT_EQ(file->submit(batch), ops.size());
  std::set<std::uint64_t> users;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    Op* one[1] = {};
    ASSERT_EQ(file->reap(one, 1), 1U) << "operation " << i << " was not kept for the next reap";
    users.insert(one[0]->user);
    EXPECT_EQ(one[0]->user, 7000 + one[0]->page) << "the user's word belongs to the caller";
  }
  EXPECT_EQ(users.size(), ops.size());
}

TEST_P(Contract, C04_a_read_lends_a_frame_until_release) {
  auto file = open_filled(32);
  const std::uint32_t frames = file->geometry().frames;
  ASSERT_EQ(frames, 16U);
  for (int round = 0; round < 3; ++round) {
    std::vector<std::byte*> lent;
    for (PageId page = 0; page < frames; ++page) {
      const Op op = run_one(*file, Op{.page = page});
      ASSERT_EQ(op.result, Errc::ok) << "geometry().frames are guaranteed, round " << round;
      lent.push_back(op.frame);
    }
    EXPECT_EQ(std::set(lent.begin(), lent.end()).size(), frames) << "a frame was lent twice";
    for (PageId page = 0; page < frames; ++page) {
      const auto expected = pattern(page, 0);
      EXPECT_EQ(std::memcmp(lent[page], expected.data(), expected.size()), 0)
          << "page " << page << " changed while it was lent";
    }
    for (std::byte* frame : lent) file->release(frame, 1);
  }
}

TEST_P(Contract, C04_no_free_frame_is_said_at_once) {
  auto file = open_filled(32);
  if (stores_into_map()) {
    // A file without holes is written in place, and the map has no end of frames. With a hole in
    // it frames come from the arena.
    ASSERT_EQ(run_one(*file, Op{.verb = Verb::punch, .page = 31}).result, Errc::ok);
  }
  std::vector<std::byte*> staged;
  for (std::uint32_t i = 0; i < file->geometry().frames; ++i) {
    staged.push_back(file->stage(i, 1));
    ASSERT_NE(staged.back(), nullptr) << "geometry().frames are guaranteed";
  }
  EXPECT_EQ(file->stage(20, 1), nullptr);
  const Op read = run_one(*file, Op{.page = 20});
  if (file->geometry().base == nullptr) {
    EXPECT_EQ(read.result, Errc::no_frames);
    EXPECT_EQ(read.frame, nullptr);
  } else {
    EXPECT_EQ(read.result, Errc::ok) << "a map lends without frames";
  }
  file->release(staged.back(), 1);
  std::byte* again = file->stage(20, 1);
  EXPECT_NE(again, nullptr) << "one was released, so one must be had";
  file->release(again, 1);
  staged.pop_back();
  for (std::byte* frame : staged) file->release(frame, 1);
  EXPECT_EQ(run_one(*file, Op{.page = 20}).result, Errc::ok);
  if (file->geometry().base == nullptr) {
    const auto too_long = read_page(*file, 0, file->geometry().frames + 1);
    ASSERT_FALSE(too_long);
    EXPECT_EQ(too_long.error().code, Errc::bad_argument) << "no release can make room for it";
    EXPECT_NE(too_long.error().text().find("there are 16 frames"), std::string::npos);
  }
}

TEST_P(Contract, C04_a_run_is_contiguous_and_coherent) {
  auto file = open_filled(16);
  ASSERT_EQ(write(*file, 6, 1), Errc::ok);  // not synced: a run must see it all the same
  const Op op = run_one(*file, Op{.run = 4, .page = 4});
  ASSERT_EQ(op.result, Errc::ok);
  for (PageId page = 4; page < 8; ++page) {
    const auto expected = pattern(page, page == 6 ? 1 : 0);
    EXPECT_EQ(
        std::memcmp(op.frame + (page - 4) * expected.size(), expected.data(), expected.size()), 0)
        << "page " << page;
  }
  file->release(op.frame, 4);
  // Released whole: every frame can be had again.
  std::vector<std::byte*> staged;
  for (std::uint32_t i = 0; i < file->geometry().frames; ++i) {
    const Op one = run_one(*file, Op{.page = i % 16});
    ASSERT_EQ(one.result, Errc::ok);
    staged.push_back(one.frame);
  }
  for (std::byte* frame : staged) file->release(frame, 1);
}

TEST_P(Contract, C04_peek_is_the_page_itself_or_nothing) {
  auto file = open_filled(8);
  if (file->geometry().base == nullptr) {
    EXPECT_EQ(file->peek(3), nullptr);
    return;
  }
  const auto before = pattern(3, 0);
  EXPECT_EQ(std::memcmp(file->peek(3), before.data(), before.size()), 0);
  ASSERT_EQ(write(*file, 3, 1), Errc::ok);
  const auto after = pattern(3, 1);
  EXPECT_EQ(std::memcmp(file->peek(3), after.data(), after.size()), 0) << "no copy, no staleness";
}

TEST_P(Contract, C14_another_thread_has_a_handle_of_its_own) {
  auto first = open_filled(64);
  std::vector<std::unique_ptr<PageFile>> handles;
  for (int i = 0; i < 3; ++i) {  // made here, used there: a handle is its first user's
    auto made = first->another();
    ASSERT_TRUE(made) << made.error().text();
    handles.push_back(std::move(*made));
  }
  std::unique_ptr<PageFile> second = std::move(handles[2]);
  const auto work = [&](PageFile& file, PageId begin, PageId end) {
    for (unsigned version = 1; version <= 5; ++version) {
      for (PageId page = begin; page < end; ++page) {
        ASSERT_EQ(write(file, page, version), Errc::ok);
        expect_page(file, page, version);
      }
    }
    const auto synced = sync(file);
    ASSERT_TRUE(synced) << synced.error().text();
  };
  {
    std::jthread one([&] { work(*handles[0], 0, 32); });
    std::jthread two([&] { work(*handles[1], 32, 64); });
  }
  expect_page(*first, 40, 5);
  ASSERT_TRUE(first->resize(80));
  EXPECT_EQ(second->pages(), 80U) << "handles of one file must agree on its length";
  first.reset();
  handles.clear();
  EXPECT_EQ(write(*second, 70, 1), Errc::ok) << "closed in any order";
  expect_page(*second, 70, 1);
}

TEST_P(Contract, C14_another_that_cannot_be_had_leaves_the_first_alone) {
  if (!is("uring")) GTEST_SKIP() << "only a ring needs more than memory for another handle";
  auto file = open_filled(8);
  for (const auto& [call, os_error] :
       {std::pair{os::Call::io_uring_setup, ENOMEM}, std::pair{os::Call::open, EMFILE},
        std::pair{os::Call::io_uring_register, ENOMEM}}) {
    kernel_.fail_next(call, os_error);
    if (call == os::Call::open) kernel_.fail_next(call, os_error);  // by descriptor, then by name
    const auto other = file->another();
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().os_error, os_error);
  }
  EXPECT_EQ(write(*file, 2, 1), Errc::ok);
  expect_page(*file, 2, 1);
  EXPECT_TRUE(sync(*file));
}

TEST_P(Contract, C14_another_needs_no_name) {
  auto file = open_filled(8);
  files_.remove(path());
  files_.put(path(), "somebody else's");
  auto other = file->another();
  ASSERT_TRUE(other) << other.error().text();
  expect_page(**other, 3, 0);
}

TEST_P(Contract, C14_a_second_thread_ends_a_debug_build) {
#ifdef NDEBUG
  GTEST_SKIP() << "asserted in debug builds only, and this is a release build";
#else
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto elsewhere = [&](auto use) {
    auto file = open_filled(8);
    std::byte* frame = file->stage(1, 1);
    std::jthread([&] { use(*file, frame); }).join();
  };
  EXPECT_DEATH(elsewhere([](PageFile& file, std::byte*) { (void)read_page(file, 2); }),
               "clause 14");
  EXPECT_DEATH(elsewhere([](PageFile& file, std::byte*) { (void)file.stage(2, 1); }), "clause 14");
  EXPECT_DEATH(elsewhere([](PageFile& file, std::byte* frame) { file.release(frame, 1); }),
               "clause 14");
#endif
}

TEST_P(Contract, C17_no_allocation_after_open) {
  auto file = open_filled(64);
  Op ops[8];
  Op* batch[8];
  Op* done[8];
  const auto bytes = pattern(0, 0);
  const auto turn = [&](PageFile& handle, PageId base) {
    for (std::size_t i = 0; i < 8; ++i) {
      ops[i] = Op{.page = (base + i) % 64};
      if (i % 4 == 3) {
        ops[i].verb = Verb::write;
        ops[i].frame = handle.stage(ops[i].page, 1);
        std::memcpy(ops[i].frame, bytes.data(), bytes.size());
      }
      batch[i] = &ops[i];
    }
    std::size_t good = handle.submit(batch) == 8 && handle.reap(done, 8) == 8 ? 8 : 0;
    for (Op& op : ops) {
      good -= op.result != Errc::ok;
      if (op.verb == Verb::read) handle.release(op.frame, 1);
    }
    for (const Verb verb : {Verb::sync, Verb::prefetch}) {
      Op op{.verb = verb, .run = 8, .page = base % 56};
      Op* one[] = {&op};
      if (handle.submit(one) != 1 || handle.reap(done, 1) != 1) good = 0;
    }
    return good == 8;
  };
  bool good = true;
  const std::uint64_t before = allocations();
  for (PageId i = 0; i < 50; ++i) good = turn(*file, i * 8) && good;
  const std::uint64_t after = allocations();
  EXPECT_TRUE(good);
  EXPECT_EQ(after - before, 0U) << "allocations in 400 operations, from the first on";

  auto other = file->another();
  ASSERT_TRUE(other) << other.error().text();
  std::uint64_t elsewhere = 0;
  std::jthread([&] {
    const std::uint64_t start = allocations();
    good = turn(**other, 0) && good;
    elsewhere = allocations() - start;
  }).join();
  EXPECT_TRUE(good);
  EXPECT_EQ(elsewhere, 0U) << "allocations of a thread's first operations";
}

// The kernel's cache is only asked; what it makes of it is its own business. Our own is looked at.
TEST_P(Contract, C18_what_was_prefetched_is_there) {
  open_filled(64).reset();
  options_.cache.readahead_bytes = 0;  // or the reads below fetch more than they ask for
  auto opened = try_open(options_);
  ASSERT_TRUE(opened) << opened.error().text();
  PageFile& file = **opened;
  const auto bytes_moved = [&](os::Call call) {
    std::uint64_t bytes = 0;
    for (const Record& record : kernel_.log()) bytes += record.call == call ? record.bytes : 0;
    return bytes;
  };
  kernel_.clear_log();
  constexpr std::uint32_t run = 16;
  const Op asked = run_one(file, Op{.verb = Verb::prefetch, .run = run, .page = 8});
  EXPECT_EQ(asked.frame, nullptr) << "nothing is lent";
  const std::uint64_t bytes = run * std::uint64_t{options_.page_bytes};
  if (file.geometry().direct && !caches()) {
    EXPECT_EQ(asked.result, Errc::not_available);
    EXPECT_TRUE(kernel_.log().empty());
    EXPECT_NE(error_of(file, asked).text().find("not available here"), std::string::npos);
  } else {
    EXPECT_EQ(asked.result, Errc::ok);
    EXPECT_EQ(bytes_moved(caches() ? os::Call::preadv : os::Call::fadvise), bytes);
  }
  for (PageId page = 8; page < 8 + run; ++page) expect_page(file, page, 0);
  if (caches()) {
    EXPECT_EQ(bytes_moved(os::Call::preadv), bytes) << "a page was read again";
  }
}

TEST_P(Contract, C18_prefetch_is_refused_like_a_read) {
  auto file = open_filled(8);
  const auto prefetch_of = [&](PageId page, std::uint32_t run) {
    return run_one(*file, Op{.verb = Verb::prefetch, .run = run, .page = page}).result;
  };
  EXPECT_EQ(prefetch_of(8, 1), Errc::beyond_end);
  EXPECT_EQ(prefetch_of(7, 2), Errc::beyond_end);
  EXPECT_EQ(prefetch_of(0, 0), Errc::bad_argument);
  const Errc before = prefetch_of(7, 1);
  kernel_.fail_next(sync_call(), EIO);
  EXPECT_FALSE(sync(*file));
  EXPECT_EQ(prefetch_of(7, 1), before) << "poison stops writers, not readers";
}

}  // namespace pagealloc::conformance
