// Does the simulated kernel lose what a real one may lose, and keep what it must keep?
#include <linux/falloc.h>

#include "pagealloc/os/sim/tests/fixture.h"

namespace pagealloc::os::sim {
namespace {

TEST_F(Sim, what_was_not_synced_may_be_lost_and_may_not) {
  boot();
  write('1');
  const unsigned kept = left('1');
  EXPECT_GT(kept, 0U);
  EXPECT_LT(kept, cuts);
  EXPECT_EQ(kept + left('0') > 0, true);
  ASSERT_EQ(kernel_->fdatasync(fd_), 0);
  EXPECT_EQ(left('1'), cuts) << "what was synced was lost";
}

TEST_F(Sim, direct_is_not_durable_before_a_flush) {
  boot();
  reopen(O_DIRECT);
  write('1');
  EXPECT_LT(left('1'), cuts) << "the drive's cache keeps it without a flush";
  ASSERT_EQ(kernel_->fdatasync(fd_), 0);
  EXPECT_EQ(left('1'), cuts);
}

TEST_F(Sim, direct_asks_for_alignment) {
  boot();
  reopen(O_DIRECT);
  const iovec memory{block_ + 1, 512};
  const iovec length{block_, 100};
  const iovec good{block_, 512};
  EXPECT_EQ(kernel_->pwritev(fd_, &memory, 1, 0), -EINVAL);
  EXPECT_EQ(kernel_->pwritev(fd_, &length, 1, 0), -EINVAL);
  EXPECT_EQ(kernel_->pwritev(fd_, &good, 1, 7), -EINVAL);
  EXPECT_EQ(kernel_->pwritev(fd_, &good, 1, 512), 512);
}

TEST_F(Sim, write_through_needs_no_sync) {
  boot();
  reopen(O_DSYNC);
  write('1');
  EXPECT_EQ(left('1'), cuts);
  reopen(O_DSYNC | O_DIRECT);
  write('2');
  EXPECT_EQ(left('2'), cuts);
}

TEST_F(Sim, a_flush_of_one_file_covers_what_the_drive_has_of_another) {
  boot();
  reopen(O_DIRECT);
  write('1');
  const int other = kernel_->open("/other", O_RDWR | O_CREAT, 0600);
  ASSERT_EQ(kernel_->fdatasync(other), 0);
  EXPECT_EQ(left('1'), cuts);
}

TEST_F(Sim, a_name_is_durable_after_its_directorys_fsync) {
  boot();
  const int fd = kernel_->open("/new", O_RDWR | O_CREAT, 0600);
  ASSERT_EQ(kernel_->fsync(fd), 0);
  const auto named = [&] {
    unsigned count = 0;
    for (unsigned i = 0; i < cuts; ++i) {
      count += kernel_->cut(Tearing::none).files.contains("/new") ? 1U : 0U;
    }
    return count;
  };
  EXPECT_GT(named(), 0U);
  EXPECT_LT(named(), cuts) << "the file was synced, its name was not";
  ASSERT_EQ(kernel_->fsync(kernel_->open("/", O_RDONLY | O_DIRECTORY, 0)), 0);
  EXPECT_EQ(named(), cuts);
  ASSERT_EQ(kernel_->unlink("/new"), 0);
  EXPECT_GT(named(), 0U) << "so is its end";
}

TEST_F(Sim, length_is_kept_or_not_until_it_is_synced) {
  boot();
  ASSERT_EQ(kernel_->ftruncate(fd_, 3 * block_bytes), 0);
  bool short_seen = false;
  bool long_seen = false;
  for (unsigned i = 0; i < cuts; ++i) {
    const std::size_t bytes = size_after_cut();
    short_seen = short_seen || bytes == block_bytes;
    long_seen = long_seen || bytes == 3 * block_bytes;
  }
  EXPECT_TRUE(short_seen && long_seen);
  ASSERT_EQ(kernel_->fdatasync(fd_), 0);
  for (unsigned i = 0; i < cuts; ++i) ASSERT_EQ(size_after_cut(), 3 * block_bytes);
}

TEST_F(Sim, what_is_written_after_a_cut_off_survives_the_commit_of_it) {
  boot();
  ASSERT_EQ(kernel_->ftruncate(fd_, 0), 0);
  ASSERT_EQ(kernel_->ftruncate(fd_, block_bytes), 0);
  write('1');
  ASSERT_EQ(kernel_->fdatasync(kernel_->open("/other", O_RDWR | O_CREAT, 0600)), 0);
  ASSERT_EQ(kernel_->fdatasync(fd_), 0);
  EXPECT_EQ(left('1'), cuts);
}

TEST_F(Sim, the_second_sync_succeeds_and_the_page_is_lost) {
  for (const bool revert : {false, true}) {
    Machine machine;
    boot(machine);
    machine.faults.revert_after_error = revert;
    machine.faults[Fault::sync_error] = 1;
    machine.image = kernel_->cut(Tearing::none);
    kernel_ = std::make_unique<SimKernel>(machine);
    fd_ = kernel_->open(path, O_RDWR, 0);
    const int also = kernel_->open(path, O_RDWR, 0);
    write('1');
    EXPECT_EQ(kernel_->fdatasync(fd_), -EIO);
    EXPECT_EQ(kernel_->fdatasync(fd_), 0) << "told once";
    EXPECT_EQ(kernel_->fdatasync(also), -EIO) << "once for each open file";
    EXPECT_EQ(read(), revert ? '0' : '1') << "what a reader sees";
    EXPECT_EQ(left('0'), cuts) << "what is on the medium";
    EXPECT_EQ(kernel_->fault_log()[Fault::sync_error], 1U);
  }
}

TEST_F(Sim, stores_into_a_map_are_found_and_synced_by_msync) {
  boot();
  const auto map = kernel_->mmap(nullptr, block_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  ASSERT_TRUE(map);
  std::memset(*map, '1', block_bytes);
  EXPECT_EQ(read(), '1') << "a map and the page cache are one";
  EXPECT_LT(left('1'), cuts);
  ASSERT_EQ(kernel_->msync(*map, block_bytes, MS_ASYNC), 0);
  EXPECT_LT(left('1'), cuts) << "MS_ASYNC does nothing";
  ASSERT_EQ(kernel_->msync(*map, block_bytes, MS_SYNC), 0);
  EXPECT_EQ(left('1'), cuts);
  ASSERT_EQ(kernel_->munmap(*map, block_bytes), 0);
}

TEST_F(Sim, msync_and_write_through_are_about_a_range) {
  boot();
  ASSERT_EQ(kernel_->ftruncate(fd_, 2 * block_bytes), 0);
  ASSERT_EQ(kernel_->fdatasync(fd_), 0);
  const std::size_t bytes = 2 * block_bytes;
  const auto map = kernel_->mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  ASSERT_TRUE(map);
  std::memset(*map, '1', bytes);
  auto* const second = static_cast<std::byte*>(*map) + block_bytes;
  ASSERT_EQ(kernel_->msync(second, block_bytes, MS_SYNC), 0);
  EXPECT_LT(left('1'), cuts) << "the first block was not asked for";
  ASSERT_EQ(kernel_->msync(*map, block_bytes, MS_SYNC), 0);
  EXPECT_EQ(left('1'), cuts);
  ASSERT_EQ(kernel_->munmap(*map, bytes), 0);
  write('2');  // through the page cache, not synced
  const int through = kernel_->open(path, O_RDWR | O_DSYNC, 0);
  const iovec iov{block_, sizeof block_};
  ASSERT_EQ(kernel_->pwritev(through, &iov, 1, block_bytes),
            static_cast<std::int64_t>(block_bytes));
  EXPECT_LT(left('2'), cuts) << "another block was written through";
}

TEST_F(Sim, a_directory_and_a_link_are_still_what_they_were) {
  boot();
  kernel_->make("/directory", FileKind::directory);
  kernel_->make("/link", FileKind::link, "directory");
  SimKernel again(Machine{.image = kernel_->cut(Tearing::sector)});
  EXPECT_GE(again.open("/directory/new", O_RDWR | O_CREAT, 0600), first_fd);
  EXPECT_GE(again.open("/link", O_RDONLY | O_DIRECTORY, 0), first_fd);
}

TEST_F(Sim, an_empty_path_names_nothing) {
  boot();
  char target[8];
  struct statx found{};
  EXPECT_EQ(kernel_->open("", O_RDONLY | O_DIRECTORY, 0), -ENOENT);
  EXPECT_EQ(kernel_->open("", O_RDWR | O_CREAT, 0600), -ENOENT);
  EXPECT_EQ(kernel_->unlink(""), -ENOENT);
  EXPECT_EQ(kernel_->readlink("", target, sizeof target), -ENOENT);
  EXPECT_EQ(kernel_->statx(AT_FDCWD, "", 0, STATX_BASIC_STATS, &found), -ENOENT);
  EXPECT_EQ(kernel_->statx(fd_, "", 0, STATX_BASIC_STATS, &found), -ENOENT);
  ASSERT_EQ(kernel_->statx(fd_, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &found), 0);
  EXPECT_EQ(found.stx_size, sizeof block_) << "with AT_EMPTY_PATH it is the descriptor's file";
  EXPECT_GE(kernel_->open(".", O_RDONLY | O_DIRECTORY, 0), 0) << "and . is a directory";
}

TEST_F(Sim, a_punched_range_is_zero_and_gives_its_blocks_back) {
  boot();
  struct statx before{};
  struct statx after{};
  ASSERT_EQ(kernel_->statx(fd_, "", AT_EMPTY_PATH, STATX_BLOCKS, &before), 0);
  ASSERT_EQ(kernel_->fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, block_bytes), 0);
  ASSERT_EQ(kernel_->statx(fd_, "", AT_EMPTY_PATH, STATX_BLOCKS, &after), 0);
  EXPECT_EQ(before.stx_blocks, block_bytes / 512);
  EXPECT_EQ(after.stx_blocks, 0U);
  EXPECT_EQ(after.stx_size, block_bytes);
  EXPECT_EQ(read(), '\0');
  ASSERT_EQ(kernel_->fdatasync(fd_), 0);
  EXPECT_EQ(left('\0'), cuts);
}

}  // namespace
}  // namespace pagealloc::os::sim
