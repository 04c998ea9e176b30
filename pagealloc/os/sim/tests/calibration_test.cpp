// The simulated machine's answers beside those of real kernels, which `./lab rigs --probes N` asks
// the same questions (docs/durability.md has the table). What a real kernel leaves must be among
// what the simulated one may leave; what is promised must be all that it leaves.
#include <fmt/format.h>

#include <functional>
#include <map>

#include "pagealloc/os/sim/tests/fixture.h"

namespace pagealloc::os::sim {
namespace {

struct Question {
  const char* name;
  std::function<void(SimKernel&, int fd)> act;  // on a file of four blocks of 'o', durable
  const char* real;                             // what real kernels left, each time
  bool promised;                                // then nothing else may be left
};

void PrintTo(const Question& question, std::ostream* out) { *out << question.name; }

void overwrite(SimKernel& kernel, int fd) {
  alignas(4096) static std::byte block[block_bytes];
  std::memset(block, 'n', sizeof block);
  const iovec iov{block, sizeof block};
  EXPECT_EQ(kernel.pwritev(fd, &iov, 1, 0), static_cast<std::int64_t>(block_bytes));
}

void overwrite_opened(SimKernel& kernel, int flags) {
  const int fd = kernel.open(path, O_RDWR | flags, 0);
  overwrite(kernel, fd);
  EXPECT_EQ(kernel.close(fd), 0);
}

void store(SimKernel& kernel, int fd, int msync_flags) {
  const auto map = kernel.mmap(nullptr, block_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ASSERT_TRUE(map);
  std::memset(*map, 'n', block_bytes);
  if (msync_flags != 0) {
    EXPECT_EQ(kernel.msync(*map, block_bytes, msync_flags), 0);
  }
  EXPECT_EQ(kernel.munmap(*map, block_bytes), 0);
}

std::string answer(const Image& image) {
  const auto& bytes = image.files.at(path).bytes;
  const bool is_new = image.files.contains("/new");
  return fmt::format("{}, {} blocks{}", bytes[0] == std::byte{'n'} ? "new bytes" : "old bytes",
                     blocks_of(bytes.size()), is_new ? ", new name" : "");
}

class Calibration : public ::testing::TestWithParam<Question> {};

TEST_P(Calibration, real_answers_are_among_the_simulated) {
  SimKernel made(Machine{});
  const int file = made.open(path, O_RDWR | O_CREAT, 0600);
  const std::vector<std::byte> bytes(4 * block_bytes, std::byte{'o'});
  const iovec iov{const_cast<std::byte*>(bytes.data()), bytes.size()};
  ASSERT_EQ(made.pwritev(file, &iov, 1, 0), static_cast<std::int64_t>(bytes.size()));
  ASSERT_EQ(made.syncfs(file), 0);
  SimKernel kernel(Machine{.image = made.cut(Tearing::none)});
  GetParam().act(kernel, kernel.open(path, O_RDWR, 0));
  std::map<std::string, unsigned> left;
  for (unsigned i = 0; i < cuts; ++i) ++left[answer(kernel.cut(Tearing::none))];
  for (const auto& [what, count] : left) {
    fmt::print("{}: {} {} of {}\n", GetParam().name, what, count, cuts);
  }
  EXPECT_TRUE(left.contains(GetParam().real)) << "a real kernel left: " << GetParam().real;
  EXPECT_EQ(left.size() == 1, GetParam().promised);
}

INSTANTIATE_TEST_SUITE_P(
    Questions, Calibration,
    ::testing::Values(
        Question{"write", overwrite, "old bytes, 4 blocks", false},
        Question{"write_direct", [](SimKernel& k, int) { overwrite_opened(k, O_DIRECT); },
                 "old bytes, 4 blocks", false},
        Question{"write_dsync", [](SimKernel& k, int) { overwrite_opened(k, O_DSYNC); },
                 "new bytes, 4 blocks", true},
        Question{"store", [](SimKernel& k, int fd) { store(k, fd, 0); }, "old bytes, 4 blocks",
                 false},
        Question{"store_async", [](SimKernel& k, int fd) { store(k, fd, MS_ASYNC); },
                 "old bytes, 4 blocks", false},
        Question{"store_sync", [](SimKernel& k, int fd) { store(k, fd, MS_SYNC); },
                 "new bytes, 4 blocks", true},
        Question{"create",
                 [](SimKernel& k, int) {
                   EXPECT_EQ(k.fsync(k.open("/new", O_RDWR | O_CREAT, 0600)), 0);
                 },
                 "old bytes, 4 blocks, new name", false},
        Question{"grow",
                 [](SimKernel& k, int fd) { EXPECT_EQ(k.ftruncate(fd, 8 * block_bytes), 0); },
                 "old bytes, 4 blocks", false},
        Question{"shrink", [](SimKernel& k, int fd) { EXPECT_EQ(k.ftruncate(fd, block_bytes), 0); },
                 "old bytes, 4 blocks", false}),
    [](const auto& question) { return std::string(question.param.name); });

/// The trap, step by step as the rigs take it: their answers, on ext4 and XFS, are these.
TEST_F(Sim, a_failed_fsync_as_real_kernels_answer) {
  boot();
  Machine machine{.image = kernel_->cut(Tearing::none)};
  machine.faults[Fault::sync_error] = 1;
  kernel_ = std::make_unique<SimKernel>(machine);
  fd_ = kernel_->open(path, O_RDWR, 0);
  const int before = kernel_->open(path, O_RDWR, 0);
  write('1');
  EXPECT_EQ(kernel_->fsync(fd_), -EIO) << "first fsync";
  EXPECT_EQ(kernel_->fsync(fd_), 0) << "second fsync";
  EXPECT_EQ(kernel_->fsync(before), -EIO) << "on a descriptor from before";
  EXPECT_EQ(kernel_->fsync(kernel_->open(path, O_RDWR, 0)), 0) << "on one opened since";
  EXPECT_EQ(read(), '1') << "before eviction";
  ASSERT_EQ(kernel_->fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED), 0);
  EXPECT_EQ(read(), '0') << "after eviction";
}

}  // namespace
}  // namespace pagealloc::os::sim
