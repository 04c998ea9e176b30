// What is under way to the medium, what a bad device does to it, and what a dead process leaves.
#include <algorithm>

#include "pagealloc/os/sim/tests/fixture.h"

namespace pagealloc::os::sim {
namespace {

/// Nothing of it may have arrived, and then there is no write whose memory it could be taken from.
TEST_F(Sim, a_direct_write_that_fails_leaves_the_one_before_it_alone) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    boot({.seed = seed});
    reopen(O_DIRECT);
    write('1');
    FaultRates faults;
    faults[Fault::write_error] = 1;
    kernel_->set_faults(faults);
    std::memset(block_, '2', sizeof block_);
    const iovec iov{block_, sizeof block_};
    ASSERT_EQ(kernel_->pwritev(fd_, &iov, 1, block_bytes), -EIO);
    ASSERT_EQ(read(), '1') << "seed " << seed;
  }
}

TEST_F(Sim, a_flush_that_lies_makes_nothing_durable) {
  boot();
  Machine machine{.image = kernel_->cut(Tearing::none)};
  machine.faults[Fault::lying_flush] = 1;
  kernel_ = std::make_unique<SimKernel>(machine);
  fd_ = kernel_->open(path, O_RDWR, 0);
  write('1');
  EXPECT_EQ(kernel_->fdatasync(fd_), 0);
  EXPECT_LT(left('1'), cuts);
}

TEST_F(Sim, a_failed_flush_may_cost_what_the_drive_had) {
  bool kept = false;
  bool lost = false;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    boot();
    Machine machine{.seed = seed, .image = kernel_->cut(Tearing::none)};
    machine.faults[Fault::flush_error] = 1;
    kernel_ = std::make_unique<SimKernel>(machine);
    fd_ = kernel_->open(path, O_RDWR | O_DIRECT, 0);
    write('1');
    ASSERT_EQ(kernel_->fdatasync(fd_), -EIO);
    (read() == '1' ? kept : lost) = true;
  }
  EXPECT_TRUE(kept);
  EXPECT_TRUE(lost);
}

TEST_F(Sim, a_bad_medium_shows_after_eviction_and_not_before) {
  boot();
  Machine machine{.image = kernel_->cut(Tearing::none)};
  machine.faults[Fault::lost_write] = 1;
  kernel_ = std::make_unique<SimKernel>(machine);
  fd_ = kernel_->open(path, O_RDWR, 0);
  write('1');
  ASSERT_EQ(kernel_->fdatasync(fd_), 0) << "the device says that it has written it";
  EXPECT_EQ(read(), '1') << "the page cache has it";
  ASSERT_EQ(kernel_->fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED), 0);
  EXPECT_EQ(read(), '0');
  EXPECT_EQ(left('0'), cuts);
}

TEST_F(Sim, a_misdirected_write_lands_on_the_neighbour) {
  boot();
  ASSERT_EQ(kernel_->fallocate(fd_, 0, 0, 2 * block_bytes), 0);
  ASSERT_EQ(kernel_->fdatasync(fd_), 0);
  Machine machine{.image = kernel_->cut(Tearing::none)};
  machine.faults[Fault::misdirected] = 1;
  kernel_ = std::make_unique<SimKernel>(machine);
  fd_ = kernel_->open(path, O_RDWR | O_DIRECT, 0);
  write('1');
  ASSERT_EQ(kernel_->fdatasync(fd_), 0);
  const Image image = kernel_->cut(Tearing::none);
  EXPECT_EQ(static_cast<char>(image.files.at(path).bytes[0]), '0');
  EXPECT_EQ(static_cast<char>(image.files.at(path).bytes[block_bytes]), '1');
}

TEST_F(Sim, what_cannot_be_read_can_after_it_was_written) {
  boot();
  Machine machine{.image = kernel_->cut(Tearing::none)};
  machine.image.files.at(path).unreadable.insert(0);
  kernel_ = std::make_unique<SimKernel>(machine);
  fd_ = kernel_->open(path, O_RDWR, 0);
  const iovec iov{block_, sizeof block_};
  EXPECT_EQ(kernel_->preadv(fd_, &iov, 1, 0), -EIO);
  EXPECT_EQ(kernel_->preadv(fd_, &iov, 1, 0), -EIO) << "it stays so";
  write('1');
  ASSERT_EQ(kernel_->fdatasync(fd_), 0);
  ASSERT_EQ(kernel_->fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED), 0);
  EXPECT_EQ(read(), '1');
}

TEST_F(Sim, rot_is_on_the_medium_and_stays) {
  boot();
  Machine machine{.image = kernel_->cut(Tearing::none)};
  machine.faults[Fault::rot] = 1;
  kernel_ = std::make_unique<SimKernel>(machine);
  ASSERT_GE(kernel_->open(path, O_RDONLY, 0), first_fd);
  const Image first = kernel_->cut(Tearing::none);
  EXPECT_NE(first.hash(), machine.image.hash());
  EXPECT_EQ(first.hash(), kernel_->cut(Tearing::none).hash());
}

TEST_F(Sim, a_dead_process_leaves_the_page_cache_and_a_power_cut_does_not) {
  boot();
  write('1');
  SimKernel after(Machine{.seed = 2}, *kernel_);
  const int fd = after.open(path, O_RDWR, 0);
  const iovec iov{block_, sizeof block_};
  ASSERT_EQ(after.preadv(fd, &iov, 1, 0), static_cast<std::int64_t>(block_bytes));
  EXPECT_EQ(static_cast<char>(block_[0]), '1');
  const auto kept = [&] {
    unsigned count = 0;
    for (unsigned i = 0; i < cuts; ++i) {
      const Image image = after.cut(Tearing::none);
      count += static_cast<char>(image.files.at(path).bytes[0]) == '1' ? 1U : 0U;
    }
    return count;
  };
  EXPECT_LT(kept(), cuts) << "nobody has synced it";
  ASSERT_EQ(after.fdatasync(fd), 0);
  EXPECT_EQ(kept(), cuts);
  EXPECT_LT(left('1'), cuts) << "the first machine is another one";
}

TEST_F(Sim, direct_into_a_hole_needs_the_files_own_sync) {
  boot();
  ASSERT_EQ(kernel_->ftruncate(fd_, 2 * block_bytes), 0);
  ASSERT_EQ(kernel_->fdatasync(fd_), 0);
  reopen(O_DIRECT);
  std::memset(block_, '1', sizeof block_);
  const iovec iov{block_, sizeof block_};
  ASSERT_EQ(kernel_->pwritev(fd_, &iov, 1, block_bytes), static_cast<std::int64_t>(block_bytes));
  const auto there = [&] {
    unsigned count = 0;
    for (unsigned i = 0; i < cuts; ++i) {
      const Image image = kernel_->cut(Tearing::none);
      count += static_cast<char>(image.files.at(path).bytes[block_bytes]) == '1' ? 1U : 0U;
    }
    return count;
  };
  ASSERT_EQ(kernel_->fdatasync(kernel_->open("/other", O_RDWR | O_CREAT, 0600)), 0);
  EXPECT_LT(there(), cuts) << "its bytes are durable, that they are its is not";
  ASSERT_EQ(kernel_->fdatasync(fd_), 0);
  EXPECT_EQ(there(), cuts);
}

TEST_F(Sim, a_write_is_torn_at_every_word_once) {
  boot();
  write('1');
  std::size_t states = 0;
  bool torn = true;
  kernel_->enumerate_tears([&](const Image& image) {
    const auto& bytes = image.files.at(path).bytes;
    const std::size_t end = std::min(block_bytes, states * 8);
    for (std::size_t i = 0; i < block_bytes; ++i) {
      torn = torn && static_cast<char>(bytes[i]) == (i < end ? '1' : '0');
    }
    ++states;
  });
  EXPECT_EQ(states, block_bytes / 8 + 1);
  EXPECT_TRUE(torn);
}

TEST_F(Sim, a_map_and_its_descriptor_are_told_of_an_error_once) {
  boot();
  Machine machine{.image = kernel_->cut(Tearing::none)};
  machine.faults[Fault::sync_error] = 1;
  kernel_ = std::make_unique<SimKernel>(machine);
  fd_ = kernel_->open(path, O_RDWR, 0);
  const auto map = kernel_->mmap(nullptr, block_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  ASSERT_TRUE(map);
  std::memset(*map, '1', block_bytes);
  EXPECT_EQ(kernel_->msync(*map, block_bytes, MS_SYNC), -EIO);
  EXPECT_EQ(kernel_->fdatasync(fd_), 0) << "the same open file";
  EXPECT_EQ(kernel_->fdatasync(kernel_->open(path, O_RDWR, 0)), 0) << "somebody has been told";
  ASSERT_EQ(kernel_->munmap(*map, block_bytes), 0);
}

TEST_F(Sim, links_inside_a_path_are_followed) {
  boot();
  kernel_->make("/directory", FileKind::directory);
  kernel_->make("/link", FileKind::link, "directory");
  ASSERT_GE(kernel_->open("/link/new", O_RDWR | O_CREAT, 0600), first_fd);
  EXPECT_GE(kernel_->open("/directory/new", O_RDONLY, 0), first_fd);
  EXPECT_EQ(kernel_->open("/file/new", O_RDONLY, 0), -ENOTDIR);
  kernel_->make("/loop", FileKind::link, "loop");
  EXPECT_EQ(kernel_->open("/loop", O_RDONLY, 0), -ELOOP);
}

}  // namespace
}  // namespace pagealloc::os::sim
