// Does the simulated kernel lose what a real one may lose, and keep what it must keep?
#include <gtest/gtest.h>
#include <linux/falloc.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>

#include "pagealloc/open.h"
#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::os::sim {
namespace {

constexpr const char* path = "/file";
constexpr unsigned cuts = 200;

/// A file of one block, open; and what is left of it after many power cuts.
class Sim : public ::testing::Test {
 protected:
  void boot(Machine machine = {}) {
    kernel_ = std::make_unique<SimKernel>(std::move(machine));
    fd_ = kernel_->open(path, O_RDWR | O_CREAT, 0600);
    ASSERT_GE(fd_, 0);
    write('0');
    ASSERT_EQ(kernel_->fsync(fd_), 0);
    const int directory = kernel_->open("/", O_RDONLY | O_DIRECTORY, 0);
    ASSERT_EQ(kernel_->fsync(directory), 0);
    ASSERT_EQ(kernel_->close(directory), 0);
  }
  void reopen(int flags) {
    ASSERT_EQ(kernel_->close(fd_), 0);
    fd_ = kernel_->open(path, O_RDWR | flags, 0);
    ASSERT_GE(fd_, 0);
  }
  void write(char value) {
    std::memset(block_, value, sizeof block_);
    const iovec iov{block_, sizeof block_};
    ASSERT_EQ(kernel_->pwritev(fd_, &iov, 1, 0), static_cast<std::int64_t>(sizeof block_));
  }
  char read() {
    const iovec iov{block_, sizeof block_};
    EXPECT_EQ(kernel_->preadv(fd_, &iov, 1, 0), static_cast<std::int64_t>(sizeof block_));
    return static_cast<char>(block_[100]);
  }
  /// In how many of the cuts does the file begin with this?
  unsigned left(char value) {
    unsigned count = 0;
    for (unsigned i = 0; i < cuts; ++i) {
      const Image image = kernel_->cut(Tearing::none);
      const auto found = image.files.find(path);
      if (found != image.files.end() && !found->second.bytes.empty() &&
          static_cast<char>(found->second.bytes[0]) == value) {
        ++count;
      }
    }
    return count;
  }
  std::size_t size_after_cut() { return kernel_->cut(Tearing::none).files.at(path).bytes.size(); }

  std::unique_ptr<SimKernel> kernel_;
  int fd_ = -1;
  alignas(4096) std::byte block_[block_bytes] = {};
};

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

TEST(Ring, refuses_what_it_does_not_know_and_orders_nothing) {
  SimKernel kernel(Machine{});
  const int fd = kernel.open(path, O_RDWR | O_CREAT, 0600);
  auto ring = kernel.io_uring_setup(8, 0);
  ASSERT_TRUE(ring);
  ASSERT_EQ((*ring)->enable(), 0);
  std::array<std::byte, 512> bytes{};
  const auto answer = [&](auto change) {
    io_uring_sqe* sqe = (*ring)->get_sqe();
    *sqe = {};
    sqe->opcode = IORING_OP_WRITE;
    sqe->fd = fd;
    sqe->addr = reinterpret_cast<std::uintptr_t>(bytes.data());
    sqe->len = bytes.size();
    change(*sqe);
    EXPECT_EQ((*ring)->enter(1), 1);
    std::array<io_uring_cqe, 1> done;
    EXPECT_EQ((*ring)->drain({done.data(), 1}), 1U);
    return done[0].res;
  };
  EXPECT_EQ(answer([](io_uring_sqe&) {}), 512);
  EXPECT_EQ(answer([](io_uring_sqe& sqe) { sqe.flags = IOSQE_IO_LINK; }), -EINVAL);
  EXPECT_EQ(answer([](io_uring_sqe& sqe) { sqe.flags = IOSQE_IO_DRAIN; }), -EINVAL);
  EXPECT_EQ(answer([](io_uring_sqe& sqe) { sqe.rw_flags = RWF_DSYNC; }), -EOPNOTSUPP);
  EXPECT_EQ(answer([](io_uring_sqe& sqe) { sqe.fd = first_fd + 7; }), -EBADF);
  EXPECT_EQ(answer([](io_uring_sqe& sqe) { sqe.opcode = IORING_OP_WRITE_FIXED; }), -EFAULT);
}

TEST(Ring, writes_through_when_the_file_does) {
  SimKernel kernel(Machine{});
  const int fd = kernel.open(path, O_RDWR | O_CREAT | O_DSYNC, 0600);
  ASSERT_EQ(kernel.fsync(kernel.open("/", O_RDONLY | O_DIRECTORY, 0)), 0);
  auto ring = kernel.io_uring_setup(8, 0);
  ASSERT_TRUE(ring);
  ASSERT_EQ((*ring)->enable(), 0);
  std::array<std::byte, 512> bytes;
  bytes.fill(std::byte{'1'});
  io_uring_sqe* sqe = (*ring)->get_sqe();
  *sqe = {};
  sqe->opcode = IORING_OP_WRITE;
  sqe->fd = fd;
  sqe->addr = reinterpret_cast<std::uintptr_t>(bytes.data());
  sqe->len = bytes.size();
  ASSERT_EQ((*ring)->enter(1), 1);
  for (unsigned i = 0; i < cuts; ++i) {
    const Image image = kernel.cut(Tearing::sector);
    ASSERT_EQ(image.files.at(path).bytes.size(), bytes.size());
    ASSERT_EQ(image.files.at(path).bytes[0], std::byte{'1'});
  }
}

/// One run of a pool, a ring or whatever, to its end: the hash of all that was asked and answered,
/// that of what a power cut left, and the next random word.
std::array<std::uint64_t, 3> run(std::uint64_t seed, const Options& like) {
  Machine machine{.seed = seed};
  machine.faults.write_back_one_in = 3;
  machine.faults[Fault::interrupted] = 9;
  machine.faults[Fault::short_transfer] = 7;
  SimKernel kernel(machine);
  Options options = like;
  options.kernel = &kernel;
  options.create = true;
  {
    auto file = open(path, options);
    EXPECT_TRUE(file) << file.error().text();
    EXPECT_TRUE((*file)->resize(8));
    std::vector<Op> ops(4);
    std::vector<Op*> done(4);
    for (std::uint64_t turn = 0; turn < 6; ++turn) {
      for (std::uint64_t i = 0; i < 4; ++i) {
        const Verb verb = i == 3 ? Verb::sync : i % 2 == 0 ? Verb::read : Verb::write;
        ops[i] = Op{.verb = verb, .page = (turn + 2 * i) % 8};
        if (verb == Verb::write) {
          ops[i].frame = (*file)->stage(ops[i].page, 1);
          std::memset(ops[i].frame, static_cast<int>(turn), 4096);
        }
        Op* one[] = {&ops[i]};
        EXPECT_EQ((*file)->submit(one), 1U);
      }
      for (std::size_t back = 0; back < 4;) back += (*file)->reap(done, 1);
      for (Op& op : ops) {
        EXPECT_EQ(op.result, Errc::ok);
        if (op.verb == Verb::read) (*file)->release(op.frame, 1);
      }
    }
  }
  const std::uint64_t left = kernel.cut(Tearing::sector).hash();
  return {kernel.trace().hash(), left, kernel.next_random()};
}

TEST(Determinism, the_same_seed_is_the_same_history) {
  Options options{.depth = 4, .frames = 8};
  const auto like = [&](const char* impl, std::uint32_t threads) {
    Options changed = options;
    changed.impl = impl;
    changed.threads = threads;
    return changed;
  };
  std::size_t different = 0;
  for (const Options& way :
       {like("pread", 0), like("pread", 3), like("direct", 0), like("uring", 0), like("mmap", 0)}) {
    auto last = run(0, way);
    for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
      const auto first = run(seed, way);
      ASSERT_EQ(first, run(seed, way)) << way.impl << " seed " << seed;
      different += first[0] != last[0] ? 1U : 0U;
      last = first;
    }
  }
  EXPECT_EQ(different, 5000U) << "a seed that changes nothing tests nothing";
}

/// Reads at one depth for a while: operations per second, and the mean time of one.
std::pair<double, double> read_at_depth(const Model& model, std::uint32_t depth) {
  SimKernel kernel(Machine{.seed = depth, .model = model});
  Options options{.impl = "uring", .create = true, .depth = depth, .frames = depth};
  options.kernel = &kernel;
  auto file = open(path, options);
  EXPECT_TRUE(file && (*file)->resize(256));
  std::vector<Op> ops(depth);
  std::vector<Op*> done(depth);
  std::vector<Op*> batch;
  const std::uint64_t total = 40 * depth;
  std::uint64_t started = 0;
  std::uint64_t waited_ns = 0;
  const std::uint64_t begin_ns = kernel.now_ns();
  const auto start = [&](Op& op) {
    op = Op{.page = started++ % 256, .user = kernel.now_ns()};
    batch.push_back(&op);
  };
  for (Op& op : ops) start(op);
  for (std::uint64_t finished = 0; finished < total;) {
    EXPECT_EQ((*file)->submit(batch), batch.size());
    batch.clear();
    const std::size_t count = (*file)->reap(done, 1);
    for (std::size_t i = 0; i < count; ++i) {
      waited_ns += kernel.now_ns() - done[i]->user;
      (*file)->release(done[i]->frame, 1);
      if (started < total) start(*done[i]);
    }
    finished += count;
  }
  const auto seconds = static_cast<double>(kernel.now_ns() - begin_ns) / 1e9;
  const auto ops_done = static_cast<double>(total);
  return {ops_done / seconds, static_cast<double>(waited_ns) / 1e9 / ops_done};
}

TEST(DeviceModel, depth_follows_littles_law) {
  const Model nvme = *model_of("nvme");
  double before = 0;
  for (std::uint32_t depth = 1; depth <= 128; depth *= 2) {
    const auto [per_second, latency_seconds] = read_at_depth(nvme, depth);
    EXPECT_NEAR(per_second * latency_seconds / depth, 1, 0.05) << "depth " << depth;
    if (depth <= nvme.units) {
      EXPECT_GT(per_second, 1.7 * before) << "depth " << depth << " is not worth it";
    } else {
      EXPECT_NEAR(per_second / before, 1, 0.1) << "more in flight than the device does";
    }
    before = per_second;
  }
  const double one = read_at_depth(*model_of("hdd"), 1).first;
  EXPECT_NEAR(read_at_depth(*model_of("hdd"), 8).first / one, 1, 0.1) << "it has one arm";
}

}  // namespace
}  // namespace pagealloc::os::sim
