// Does the simulated kernel lose what a real one may lose, and keep what it must keep?
#include <gtest/gtest.h>
#include <linux/falloc.h>

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

/// One run of a pool, a ring or whatever, to its end: the hash of all that was asked and answered,
/// and the next random word.
std::pair<std::uint64_t, std::uint64_t> run(std::uint64_t seed, const Options& like) {
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
  (void)kernel.cut(Tearing::sector);
  return {kernel.trace().hash(), kernel.next_random()};
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
      different += first.first != last.first ? 1U : 0U;
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
