// Clauses 7, 8, 11, 12 and 15: what must be on the medium when, and what follows a failure.
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "pagealloc/conformance/contract.h"

namespace pagealloc::conformance {

TEST_P(Contract, C07_overlapping_operations_end_a_debug_build) {
#ifdef NDEBUG
  GTEST_SKIP() << "asserted in debug builds only, and this is a release build";
#else
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto submit_two = [&](Op first, Op second) {
    auto file = open_filled(8);
    for (Op* op : {&first, &second}) {
      if (op->verb == Verb::write) op->frame = file->stage(op->page, op->run);
    }
    Op* batch[] = {&first, &second};
    file->submit(batch);
    Op* done[2];
    file->reap(done, 2);
  };
  const Op read{.run = 2, .page = 3};
  const Op write{.verb = Verb::write, .page = 4};
  const Op punch{.verb = Verb::punch, .page = 3};
  EXPECT_DEATH(submit_two(write, read), "read of pages 3..4 overlaps write of pages 4..4");
  EXPECT_DEATH(submit_two(write, write), "write of pages 4..4 overlaps write of pages 4..4");
  EXPECT_DEATH(submit_two(read, punch), "punch of pages 3..3 overlaps read of pages 3..4");
  EXPECT_DEATH(
      {
        auto file = open_filled(8);
        auto other = file->another();
        Op first = punch;
        Op second = read;
        Op* one[] = {&first};
        Op* two[] = {&second};
        file->submit(one);
        (*other)->submit(two);
      },
      "overlaps");
  EXPECT_DEATH(
      {
        auto file = open_filled(8);
        Op op{.page = 6};
        Op* batch[] = {&op};
        EXPECT_EQ(file->submit(batch), 1U);
        (void)file->resize(6);
      },
      "cuts off");
  submit_two(read, Op{.run = 2, .page = 4});  // reads may overlap
  submit_two(Op{.verb = Verb::write, .page = 2}, read);
  // What was refused is not in flight, and in nobody's way.
  auto file = open_filled(8);
  Op refused{.page = 99};
  Op* const batch[] = {&refused};
  ASSERT_EQ(file->submit(batch), 1U);
  EXPECT_TRUE(file->resize(6));
#endif
}

TEST_P(Contract, C08_sync_covers_what_was_reaped_on_any_handle) {
  auto file = open_filled(8);
  auto made = file->another();
  ASSERT_TRUE(made) << made.error().text();
  auto other = std::move(*made);

  ASSERT_EQ(write(*file, 2, 1), Errc::ok);
  kernel_.clear_log();
  ASSERT_TRUE(sync(*other));
  EXPECT_EQ(kernel_.count(sync_call()), 1U) << "another handle's sync must reach the kernel";

  ASSERT_EQ(run_one(*file, Op{.verb = Verb::punch, .page = 5}).result, Errc::ok);
  ASSERT_TRUE(file->resize(10));
  kernel_.clear_log();
  ASSERT_TRUE(sync(*file));
  EXPECT_EQ(kernel_.count(sync_call()), 1U) << "punches and resizes are synced too";
  if (stores_into_map()) {
    for (const Record& record : kernel_.log()) {
      if (record.call != os::Call::msync) continue;
      EXPECT_EQ(record.flags, MS_SYNC) << "MS_ASYNC does nothing at all on Linux";
      EXPECT_EQ(record.bytes, 10U * file->geometry().page_bytes) << "all handles' dirty pages";
    }
  }
}

TEST_P(Contract, C11_a_failed_sync_poisons_every_handle_for_good) {
  auto file = open_filled(8);
  auto made = file->another();
  ASSERT_TRUE(made) << made.error().text();
  auto other = std::move(*made);
  ASSERT_EQ(write(*file, 2, 1), Errc::ok);
  std::byte* const staged_before = file->stage(5, 1);
  kernel_.fail_next(sync_call(), EIO);
  const auto failed = sync(*file);
  ASSERT_FALSE(failed) << "the kernel said EIO";
  EXPECT_EQ(failed.error().code, Errc::io);
  EXPECT_EQ(failed.error().os_error, EIO);

  kernel_.clear_log();
  for (PageFile* handle : {file.get(), other.get()}) {
    EXPECT_EQ(handle->failed(), Errc::poisoned);
    EXPECT_EQ(run_one(*handle, Op{.verb = Verb::sync}).result, Errc::poisoned)
        << "a retried fsync succeeds on Linux, and the data is lost";
    EXPECT_EQ(write(*handle, 3, 1), Errc::poisoned);
    EXPECT_EQ(run_one(*handle, Op{.verb = Verb::punch, .page = 4}).result, Errc::poisoned);
    EXPECT_FALSE(handle->resize(20));
    expect_page(*handle, 1, 0);  // reading goes on
    expect_page(*handle, 3, 0);  // and what was refused has changed nothing
  }
  const Op late = run_one(*file, Op{.verb = Verb::write, .page = 5, .frame = staged_before});
  EXPECT_EQ(late.result, Errc::poisoned);
  EXPECT_EQ(late.frame, nullptr) << "spent, whatever the result (clause 6)";
  EXPECT_EQ(kernel_.count(sync_call()), 0U) << "nothing may be tried again";
  EXPECT_EQ(kernel_.count(os::Call::pwritev), 0U);
}

TEST_P(Contract, C11_after_a_failed_sync_the_page_cache_is_dropped) {
  {
    auto file = open_filled(8);
    ASSERT_EQ(write(*file, 2, 1), Errc::ok);
    kernel_.clear_log();
    kernel_.fail_next(sync_call(), EIO);
    ASSERT_FALSE(sync(*file));
    EXPECT_GT(kernel_.count(os::Call::fadvise), 0U)
        << "a page that could not be written is clean now, and the next process would read it";
    kernel_.clear_log();
  }
  // Again when nothing is mapped any more: what is, the kernel keeps.
  EXPECT_GT(kernel_.count(os::Call::fadvise), 0U);
  kernel_.clear_log();
  kernel_.fail_next(os::Call::fsync, EIO);
  ASSERT_FALSE(try_open(options_)) << "the write-back of another process has failed";
  EXPECT_GT(kernel_.count(os::Call::fadvise), 0U);
}

TEST_P(Contract, C11_two_syncs_in_flight_fail_together) {
  auto file = open_filled(8);
  ASSERT_EQ(write(*file, 2, 1), Errc::ok);
  // The kernel tells one of them; the other would succeed, and may be the one that lost its page.
  kernel_.fail_next(sync_call(), EIO);
  std::vector<Op> ops(3, Op{.verb = Verb::sync});
  ASSERT_EQ(run(*file, ops).size(), 3U);
  for (const Op& op : ops) {
    EXPECT_TRUE(op.result == Errc::io || op.result == Errc::poisoned)
        << "a sync was acknowledged beside one that failed: " << name_of(op.result);
  }
}

TEST_P(Contract, C08_syncs_that_wait_together_are_served_together) {
  auto file = open_filled(8);
  kernel_.clear_log();
  std::vector<Op> ops(6, Op{.verb = Verb::sync});
  ASSERT_EQ(run(*file, ops).size(), 6U);
  for (const Op& op : ops) EXPECT_EQ(op.result, Errc::ok);
  EXPECT_GE(kernel_.count(sync_call()), 1U);
  kernel_.set_slow_syncs(true);
  ASSERT_EQ(run(*file, ops).size(), 6U);
  EXPECT_LE(kernel_.syncs_at_once(), 1U) << "two syncs of one file in the kernel";
  kernel_.set_slow_syncs(false);
  if (is("uring")) {
    EXPECT_EQ(kernel_.count(sync_call()), caches() ? 2U : 4U)
        << "twice the first, and one for the five that waited; with a cache one for all";
  }
}

TEST_P(Contract, C08_syncs_of_two_threads_are_not_in_the_kernel_together) {
  if (is("uring")) GTEST_SKIP() << "its handles have a file description each";
  auto file = open_filled(8);
  auto made = file->another();
  ASSERT_TRUE(made) << made.error().text();
  kernel_.set_slow_syncs(true);
  const auto sync_often = [](PageFile& handle) {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(sync(handle));
  };
  std::jthread other([&] { sync_often(**made); });
  sync_often(*file);
  other.join();
  EXPECT_EQ(kernel_.syncs_at_once(), 1U) << "two syncs of one file description in the kernel";
}

TEST_P(Contract, C11_a_failed_write_poisons) {
  auto file = open_filled(8);
  if (stores_into_map()) {
    // Stores do not fail: what could not be written shows at msync, tested above. The failure
    // that a write can have here is that the file has been cut off.
    files_.resize(path(), 0);
    std::byte* frame = file->stage(3, 1);
    ASSERT_NE(frame, nullptr);
    frame[0] = std::byte{1};
    EXPECT_EQ(file->failed(), Errc::truncated);
    EXPECT_NE(run_one(*file, Op{.verb = Verb::write, .page = 3, .frame = frame}).result, Errc::ok);
    EXPECT_EQ(run_one(*file, Op{.verb = Verb::sync}).result, Errc::truncated);
    return;
  }
  kernel_.fail_next(os::Call::pwritev, EIO);
  if (caches()) {  // it is written when it must be
    EXPECT_EQ(write(*file, 3, 1), Errc::ok);
    const Op synced = run_one(*file, Op{.verb = Verb::sync});
    EXPECT_EQ(synced.result, Errc::io);
    EXPECT_EQ(synced.os_error, EIO);
  } else {
    EXPECT_EQ(write(*file, 3, 1), Errc::io);
  }
  EXPECT_EQ(file->failed(), Errc::poisoned);
  EXPECT_EQ(run_one(*file, Op{.verb = Verb::sync}).result, Errc::poisoned);
  EXPECT_EQ(write(*file, 4, 1), Errc::poisoned);
  expect_page(*file, 4, 0);
}

TEST_P(Contract, C11_a_failed_read_does_not_poison_nor_does_refused_input) {
  auto file = open_filled(8);
  if (file->geometry().base == nullptr) {
    kernel_.fail_next(os::Call::preadv, EIO);
    const Op read = run_one(*file, Op{.page = 1});
    EXPECT_EQ(read.result, Errc::io);
    EXPECT_EQ(read.os_error, EIO);
    EXPECT_EQ(read.frame, nullptr) << "a failed read lends nothing";
  }
  EXPECT_EQ(run_one(*file, Op{.page = 8}).result, Errc::beyond_end);
  EXPECT_EQ(run_one(*file, Op{.verb = Verb::write, .page = 1}).result, Errc::bad_argument);
  EXPECT_EQ(file->failed(), Errc::ok);
  EXPECT_EQ(write(*file, 1, 1), Errc::ok);
  EXPECT_TRUE(sync(*file));
}

TEST_P(Contract, C11_what_a_stranger_wrote_survives_a_resize) {
  auto file = open_filled(8);
  const std::uint64_t page_bytes = file->geometry().page_bytes;
  auto stranger = try_open(options());
  ASSERT_TRUE(stranger) << stranger.error().text();
  ASSERT_TRUE((*stranger)->resize(20));
  ASSERT_EQ(write(**stranger, 19, 1), Errc::ok);
  ASSERT_TRUE(sync(**stranger));
  for (const std::uint64_t pages : {100U, 4U}) {
    const auto resized = file->resize(pages);
    ASSERT_FALSE(resized);
    EXPECT_EQ(resized.error().code, Errc::bad_argument);
    EXPECT_NE(resized.error().text().find("somebody else has made it longer"), std::string::npos);
  }
  EXPECT_EQ(files_.size(path()), 20 * page_bytes);
  EXPECT_EQ(raw_page(19), pattern(19, 1));
  EXPECT_EQ(file->failed(), Errc::ok);
}

TEST_P(Contract, C11_a_full_disk_shows_at_resize_and_is_survived) {
  auto file = open_filled(8);
  kernel_.fail_next(os::Call::fallocate, ENOSPC);
  const auto grown = file->resize(100);
  ASSERT_FALSE(grown) << "resize must really allocate";
  EXPECT_EQ(grown.error().code, Errc::disk_full);
  EXPECT_EQ(file->pages(), 8U);
  EXPECT_EQ(files_.size(path()), 8U * file->geometry().page_bytes);
  EXPECT_EQ(file->failed(), Errc::ok);

  if (!stores_into_map()) {  // a hole that nobody knew of: the write itself finds the disk full
    auto stranger = try_open(options());
    ASSERT_TRUE(stranger) << stranger.error().text();
    kernel_.fail_next(os::Call::pwritev, ENOSPC);
    const bool direct = file->geometry().direct;
    if (caches()) {
      EXPECT_EQ(write(**stranger, 3, 1), Errc::ok);
      EXPECT_FALSE(sync(**stranger));
    } else {
      EXPECT_EQ(write(**stranger, 3, 1), direct ? Errc::io : Errc::disk_full);
    }
    EXPECT_EQ((*stranger)->failed(), direct ? Errc::poisoned : Errc::ok)
        << "the page cache has refused the page whole; the device may have taken a part";
    expect_page(*file, 3, 0);
  }

  ASSERT_TRUE(file->resize(12));
  EXPECT_EQ(file->pages(), 12U);
  EXPECT_EQ(write(*file, 11, 1), Errc::ok);
  ASSERT_TRUE(sync(*file));
  EXPECT_EQ(raw_page(11), pattern(11, 1));
  ASSERT_TRUE(file->resize(4));
  EXPECT_EQ(files_.size(path()), 4U * file->geometry().page_bytes);
  EXPECT_EQ(run_one(*file, Op{.page = 4}).result, Errc::beyond_end);
}

TEST_P(Contract, C11_an_allocation_that_fails_for_another_reason_poisons) {
  auto file = open_filled(8);
  ASSERT_EQ(run_one(*file, Op{.verb = Verb::punch, .page = 3}).result, Errc::ok);
  ASSERT_EQ(write(*file, 4, 1), Errc::ok);
  kernel_.fail_next(os::Call::fallocate, EIO);
  EXPECT_EQ(write(*file, 3, 1), Errc::io);
  EXPECT_EQ(file->failed(), Errc::poisoned);
  if (caches()) expect_page(*file, 4, 0);  // what was not written is gone, and not read any more
}

TEST_P(Contract, C11_who_finds_the_file_poisoned_on_his_way_changes_nothing) {
  if (!caches()) GTEST_SKIP() << "not available here: nothing has to be written before a punch";
  auto file = open_filled(8);
  ASSERT_EQ(write(*file, 3, 1), Errc::ok);
  kernel_.fail_next(os::Call::pwritev, EIO);
  EXPECT_EQ(run_one(*file, Op{.verb = Verb::punch, .page = 3}).result, Errc::poisoned);
  EXPECT_EQ(raw_page(3), pattern(3, 0));
}

TEST_P(Contract, C11_a_file_system_that_cannot_allocate_ahead_is_written_to) {
  auto file = open_filled(8);
  kernel_.fail_next(os::Call::fallocate, EOPNOTSUPP);
  ASSERT_TRUE(file->resize(12));
  EXPECT_EQ(raw_page(11), std::vector<std::byte>(file->geometry().page_bytes));
  EXPECT_EQ(run_one(*file, Op{.verb = Verb::punch, .page = 3}).result, Errc::ok);
  kernel_.fail_next(os::Call::fallocate, EOPNOTSUPP);
  EXPECT_EQ(write(*file, 3, 2), Errc::ok);
  expect_page(*file, 3, 2);
  kernel_.fail_next(os::Call::fallocate, EOPNOTSUPP);
  EXPECT_EQ(run_one(*file, Op{.verb = Verb::punch, .page = 4}).result, Errc::not_available);
  expect_page(*file, 4, 0);
  EXPECT_EQ(file->failed(), Errc::ok);
}

TEST_P(Contract, C11_a_hole_is_found_behind_blocks_that_hide_it) {
  (void)open_filled(8);
  const std::uint64_t page_bytes = options().page_bytes;
  files_.fallocate(path(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * page_bytes, page_bytes);
  // More blocks behind the end than the hole is large: by their number the file is full.
  files_.fallocate(path(), FALLOC_FL_KEEP_SIZE, 8 * page_bytes, 8 * page_bytes);
  auto file = try_open(options());
  ASSERT_TRUE(file) << file.error().text();
  kernel_.fail_next(os::Call::fallocate, ENOSPC);
  EXPECT_EQ((*file)->failed(), Errc::ok);
  EXPECT_EQ(write(**file, 3, 1), Errc::disk_full) << "the hole was not known of";
  EXPECT_EQ((*file)->failed(), Errc::ok);
}

TEST_P(Contract, C11_a_punched_page_is_allocated_again_before_it_is_written) {
  auto file = open_filled(8);
  ASSERT_EQ(run_one(*file, Op{.verb = Verb::punch, .page = 3}).result, Errc::ok);
  kernel_.fail_next(os::Call::fallocate, ENOSPC);
  EXPECT_EQ(write(*file, 3, 1), Errc::disk_full) << "found before anything was changed";
  EXPECT_EQ(file->failed(), Errc::ok) << "and therefore survived";
  kernel_.clear_log();
  EXPECT_EQ(write(*file, 3, 2), Errc::ok);
  EXPECT_EQ(kernel_.count(os::Call::fallocate), 1U);
  expect_page(*file, 3, 2);
}

TEST_P(Contract, C12_open_makes_the_file_and_its_name_durable) {
  for (const bool existing : {false, true}) {
    kernel_.clear_log();
    auto file = try_open(options());
    ASSERT_TRUE(file) << file.error().text();
    int file_fd = -1;
    int directory_fd = -1;
    bool file_synced = false;
    bool directory_synced = false;
    for (const Record& record : kernel_.log()) {
      if (record.call == os::Call::open && record.path == path())
        file_fd = static_cast<int>(record.result);
      if (record.call == os::Call::open && (record.flags & O_DIRECTORY) == O_DIRECTORY) {
        EXPECT_EQ(record.path, directory_.string());
        directory_fd = static_cast<int>(record.result);
      }
      if (record.call == os::Call::fsync && record.fd == file_fd) file_synced = true;
      if (record.call == os::Call::fsync && record.fd == directory_fd) directory_synced = true;
    }
    EXPECT_TRUE(file_synced) << (existing ? "an existing file" : "a new file");
    EXPECT_TRUE(directory_synced) << (existing ? "an existing file" : "a new file");
  }
  kernel_.fail_next(os::Call::fsync, EIO);
  const auto failed = try_open(options());
  ASSERT_FALSE(failed) << "open() must not hand out what it could not sync";
  EXPECT_EQ(failed.error().code, Errc::io);
}

TEST_P(Contract, C12_the_directory_behind_a_symbolic_link_is_synced) {
  const std::string behind = path("behind");
  files_.make_directory(behind);
  files_.put(behind + "/real.pa", "");
  files_.make_link("behind/real.pa", path("step.pa"));
  files_.make_link(path("step.pa"), path());
  auto file = try_open(options());
  ASSERT_TRUE(file) << file.error().text();
  std::vector<std::string> directories;
  for (const Record& record : kernel_.log()) {
    const bool directory = (record.flags & O_DIRECTORY) == O_DIRECTORY;
    if (record.call == os::Call::open && directory) directories.push_back(record.path);
  }
  EXPECT_EQ(directories, std::vector<std::string>{behind});
}

TEST_P(Contract, C12_a_file_is_made_where_a_symbolic_link_leads) {
  const std::string behind = path("behind");
  files_.make_directory(behind);
  files_.make_link("behind/new.pa", path());
  kernel_.fail_next(os::Call::fsync, EIO);
  EXPECT_FALSE(try_open(options()));
  EXPECT_FALSE(files_.exists(behind + "/new.pa")) << "a file that was made for nothing";
  EXPECT_TRUE(files_.is_link(path())) << "the link is somebody else's";
  const auto file = try_open(options());
  ASSERT_TRUE(file) << file.error().text();
  EXPECT_TRUE(files_.exists(behind + "/new.pa"));
}

TEST_P(Contract, C12_a_directory_that_cannot_be_read_is_synced_with_its_file_system) {
  files_.put(path(), "");
  Options existing = options();
  existing.create = false;
  kernel_.fail_next(os::Call::open, EACCES, 1);  // the first is the file's own
  EXPECT_TRUE(try_open(existing));
  EXPECT_EQ(kernel_.count(os::Call::syncfs), 1U);
  kernel_.fail_next(os::Call::open, EACCES, 1);
  kernel_.fail_next(os::Call::syncfs, EIO);
  const auto failed = try_open(existing);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::io);
}

TEST_P(Contract, C15_write_through_is_asked_of_the_kernel) {
  Options through = options();
  through.write_through = true;
  kernel_.clear_log();
  auto file = try_open(through);
  if (stores_into_map()) {
    ASSERT_FALSE(file) << "stores into a map make no write call that O_DSYNC could cover";
    EXPECT_EQ(file.error().code, Errc::bad_argument);
    return;
  }
  ASSERT_TRUE(file) << file.error().text();
  EXPECT_TRUE((*file)->geometry().write_through);
  auto other = (*file)->another();
  ASSERT_TRUE(other) << other.error().text();
  unsigned descriptors = 0;
  for (const Record& record : kernel_.log()) {
    if (record.call != os::Call::open || record.result < 0) continue;
    if ((record.flags & O_DIRECTORY) == O_DIRECTORY) continue;
    ++descriptors;
    EXPECT_EQ(record.flags & O_DSYNC, O_DSYNC) << record.path << ": O_DSYNC was not asked for";
    EXPECT_EQ((record.flags & O_DIRECT) != 0, (*file)->geometry().direct) << record.path;
  }
  EXPECT_GE(descriptors, 1U);
  ASSERT_TRUE((*file)->resize(4));
  EXPECT_EQ(write(**file, 2, 1), Errc::ok);
  expect_page(**file, 2, 1);
}

TEST_P(Contract, C15_trying_direct_reports_what_it_got) {
  Options attempt = options();
  attempt.direct = Direct::attempt;
  if (is("pread") || is("mmap")) {
    EXPECT_FALSE(try_open(attempt)) << "these go through the page cache";
    EXPECT_FALSE(files_.exists(path())) << "it was refused, and a file made";
    EXPECT_EQ(kernel_.count(os::Call::open), 0U) << "only the options are wrong";
    return;
  }
  for (const bool refused : {false, true}) {
    if (refused) kernel_.fail_next(os::Call::open, EINVAL);  // as a file system does
    auto file = try_open(attempt);
    ASSERT_TRUE(file) << file.error().text();
    EXPECT_EQ((*file)->geometry().direct, !refused);
  }
  if (!is("direct") && GetParam().name != "uring") return;
  kernel_.fail_next(os::Call::open, EINVAL);
  const auto file = try_open(options());
  ASSERT_FALSE(file) << "required, refused, and opened all the same";
  EXPECT_EQ(file.error().code, Errc::not_available);
}

TEST_P(Contract, C15_only_a_refusal_of_direct_is_done_without) {
  Options attempt = options();
  attempt.direct = Direct::attempt;
  if (is("pread") || is("mmap"))
    GTEST_SKIP() << "it is refused for these: they have the page cache";
  const auto granted = try_open(attempt);
  ASSERT_TRUE(granted) << granted.error().text();
  if (!(*granted)->geometry().direct) GTEST_SKIP() << "not available here: O_DIRECT";
  // A statx that fails has told nothing. It is the third, after the path's kind and the length.
  kernel_.log_all(true);
  kernel_.fail_next(os::Call::statx, EIO, 2);
  const auto failed = try_open(attempt);
  ASSERT_FALSE(failed) << "statx failed, and it was opened, direct "
                       << (*failed)->geometry().direct;
  EXPECT_EQ(failed.error().code, Errc::io);
  EXPECT_EQ(failed.error().os_error, EIO);
  // An alignment of 0 is an answer. What is opened then has its length asked for once more.
  kernel_.tell_alignment({0, 0});
  const unsigned tries_by_name = attempt.create ? 2 : 1;  // O_EXCL first
  const auto grown = [&] { files_.resize(path(), std::uint64_t{7} * attempt.page_bytes); };
  kernel_.before_next(os::Call::open, grown, tries_by_name);
  const auto without = try_open(attempt);
  ASSERT_TRUE(without) << without.error().text();
  EXPECT_FALSE((*without)->geometry().direct);
  EXPECT_EQ((*without)->pages(), 7U) << "the length is that of the first open";
}

}  // namespace pagealloc::conformance
