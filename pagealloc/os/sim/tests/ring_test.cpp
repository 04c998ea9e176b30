// The ring's own rules, the determinism of everything, and what depth is worth on each device.
#include <array>
#include <span>

#include "pagealloc/open.h"
#include "pagealloc/os/sim/tests/fixture.h"

namespace pagealloc::os::sim {
namespace {

/// An entry that moves these bytes at the start of the file.
io_uring_sqe& fill_entry(Ring& ring, unsigned char opcode, int fd, std::span<std::byte> bytes) {
  io_uring_sqe& sqe = *ring.get_sqe();
  sqe = {};
  sqe.opcode = opcode;
  sqe.fd = fd;
  sqe.addr = reinterpret_cast<std::uintptr_t>(bytes.data());
  sqe.len = static_cast<std::uint32_t>(bytes.size());
  return sqe;
}

TEST(Ring, refuses_what_it_does_not_know_and_orders_nothing) {
  SimKernel kernel(Machine{});
  const int fd = kernel.open(path, O_RDWR | O_CREAT, 0600);
  auto ring = kernel.io_uring_setup(8, 0);
  ASSERT_TRUE(ring);
  ASSERT_EQ((*ring)->enable(), 0);
  std::array<std::byte, 512> bytes{};
  const auto answer = [&](auto change) {
    change(fill_entry(**ring, IORING_OP_WRITE, fd, bytes));
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

/// From submit to completion the memory is the kernel's: used again too early it is written as it
/// is by then, and a read shows nothing sensible before it has come back.
TEST(Ring, memory_of_an_operation_under_way_is_not_the_callers) {
  SimKernel kernel(Machine{});
  const int fd = kernel.open(path, O_RDWR | O_CREAT | O_DIRECT, 0600);
  auto ring = kernel.io_uring_setup(8, 0);
  ASSERT_TRUE(ring);
  ASSERT_EQ((*ring)->enable(), 0);
  alignas(4096) std::array<std::byte, 4096> bytes;
  bytes.fill(std::byte{'1'});
  const auto submit = [&](unsigned char opcode) {
    (void)fill_entry(**ring, opcode, fd, bytes);
    // Turns that wait for nothing: by the end of them it has begun.
    EXPECT_EQ((*ring)->enter(0), 1);
    for (int turn = 0; turn < 10; ++turn) EXPECT_EQ((*ring)->enter(0), 0);
  };
  const auto finish = [&] {
    EXPECT_EQ((*ring)->enter(1), 0);
    std::array<io_uring_cqe, 1> done;
    ASSERT_EQ((*ring)->drain(done), 1U);
    ASSERT_EQ(done[0].res, 4096);
  };
  submit(IORING_OP_WRITE);
  bytes.fill(std::byte{'2'});
  finish();
  submit(IORING_OP_READ);
  EXPECT_NE(bytes[0], std::byte{'2'}) << "it is not back yet";
  finish();
  EXPECT_EQ(bytes[0], std::byte{'2'}) << "what the memory held when the device took it";
}

/// Linux would wait for ever.
TEST(Ring, waiting_for_more_than_can_come_is_a_deadlock) {
  SimKernel kernel(Machine{});
  const int fd = kernel.open(path, O_RDWR | O_CREAT, 0600);
  auto ring = kernel.io_uring_setup(8, 0);
  ASSERT_TRUE(ring);
  ASSERT_EQ((*ring)->enable(), 0);
  std::array<std::byte, 512> bytes{};
  (void)fill_entry(**ring, IORING_OP_WRITE, fd, bytes);
  EXPECT_DEATH((void)(*ring)->enter(2), "deadlock");
  EXPECT_EQ((*ring)->enter(1), 1) << "as many as come";
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
  (void)fill_entry(**ring, IORING_OP_WRITE, fd, bytes);
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

// Little's law holds of any queue that is measured right, so it checks the clock and the counting;
// the device is checked by how much a doubled depth is worth.
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
