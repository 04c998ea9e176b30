// A kernel in memory: file system, page cache, device, clock and threads, from one seed.
//
// It stands where os/linux.cpp stands, so what runs on it is the code that will run. Same seed and
// same calls give the same answers in the same order. What it promises a program is the least that
// fsync(2), open(2), msync(2) and io_uring(7) promise; docs/durability.md says where real kernels
// give more, and how that was found out.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "pagealloc/os/kernel.h"
#include "pagealloc/os/sim/device.h"
#include "pagealloc/os/sim/fault.h"
#include "pagealloc/os/sim/scheduler.h"
#include "pagealloc/os/sim/trace.h"
#include "pagealloc/os/sim/tree.h"

namespace pagealloc::os::sim {

struct Machine {
  std::uint64_t seed = 1;
  Model model = *model_of("nvme");
  FaultRates faults = {};
  Image image = {};  ///< what is on the medium when it is switched on
  std::uint64_t capacity_bytes = 1ULL << 40;
  std::uint32_t align_bytes = 512;  ///< what O_DIRECT asks for
  /// What does not satisfy that goes through the page cache instead of failing: open(2) allows
  /// both.
  bool buffers_misaligned = false;
  std::uint64_t memlock_bytes = UINT64_MAX;
  bool refuses_ring = false;
  bool refuses_direct = false;
};

/// Descriptors begin here, so that one of the host is never taken for one of ours.
inline constexpr int first_fd = 1'000'000;

class SimKernel final : public Kernel {
 public:
  explicit SimKernel(Machine machine);
  /// The machine `before` after all its processes have died: what they had in the page cache is
  /// still there, and the power has not gone. `machine.image` is of no meaning.
  SimKernel(Machine machine, const SimKernel& before);
  ~SimKernel() override;

  // --- What only tests can do ---
  /// What is on the medium if the power goes now. May be asked as often as wanted: each answer is
  /// another cut, drawn from the seed's stream. What became of what is appended to `fates`, where
  /// given: an empty vector for each cut, or it holds those of the cuts before as well.
  Image cut(Tearing tearing, std::vector<Fate>* fates = nullptr);
  /// Is there only one thing that a cut can leave?
  bool everything_durable();
  /// What is on the medium when of one write only a part has arrived and of all others everything:
  /// for each write that is not durable, and each number of its words.
  void enumerate_tears(const std::function<void(const Image&)>& judge);
  /// Is called where the power may go: before each call, and before and after a ring's operation
  /// takes effect. It may call cut(), everything_durable(), enumerate_tears(), trace() and the
  /// constructor for those that survive. now_ns(), calls() and all of Kernel's wait for the lock of
  /// the call that it is called from, for ever.
  void set_cut_point(std::function<void()> at_cut_point) {
    at_cut_point_ = std::move(at_cut_point);
  }
  /// A file, directory, link or FIFO that is there already, durable; and gone again.
  void make(const std::string& path, FileKind kind, const std::string& target = {});
  void remove(const std::string& path);
  /// This block of a file that is there cannot be read any more, until it is written.
  void make_unreadable(const std::string& path, std::uint64_t block);
  /// What goes wrong from now on.
  void set_faults(const FaultRates& faults);
  Trace& trace() { return trace_; }
  /// What the device was asked for: a read that is not among its reads came from the page cache.
  DeviceCounts device_counts() const;
  /// Has somebody been told of an error while the page cache still has bytes that are clean and on
  /// no medium?
  bool serves_what_was_lost() const;
  /// Calls that somebody is inside of.
  const std::vector<const Event*>& calls_under_way() const { return under_way_; }
  const FaultLog& fault_log() const { return fault_log_; }
  /// The next word of every random stream: equal after equal histories.
  std::uint64_t next_random();

  int open(const char* path, int flags, unsigned mode) noexcept override;
  int close(int fd) noexcept override;
  int unlink(const char* path) noexcept override;
  std::int64_t readlink(const char* path, char* target, std::size_t bytes) noexcept override;
  int statx(int dirfd, const char* path, int flags, unsigned mask,
            struct statx* out) noexcept override;
  int ioctl(int fd, unsigned long request, void* argument) noexcept override;
  std::int64_t preadv(int fd, const iovec* iov, int count, std::uint64_t offset) noexcept override;
  std::int64_t pwritev(int fd, const iovec* iov, int count, std::uint64_t offset) noexcept override;
  int fdatasync(int fd) noexcept override;
  int fsync(int fd) noexcept override;
  int syncfs(int fd) noexcept override;
  int ftruncate(int fd, std::uint64_t bytes) noexcept override;
  int fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t bytes) noexcept override;
  int fadvise(int fd, std::uint64_t offset, std::uint64_t bytes, int advice) noexcept override;
  std::expected<void*, int> mmap(void* address, std::size_t bytes, int protection, int flags,
                                 int fd, std::uint64_t offset) noexcept override;
  int munmap(void* address, std::size_t bytes) noexcept override;
  int madvise(void* address, std::size_t bytes, int advice) noexcept override;
  int msync(void* address, std::size_t bytes, int flags) noexcept override;
  int guard(void* address, std::size_t bytes, MapFaults* faults) noexcept override;
  void unguard(void* address) noexcept override;
  std::expected<std::unique_ptr<Ring>, int> io_uring_setup(unsigned entries,
                                                           unsigned flags) noexcept override;
  std::uint64_t memlock_limit_bytes() noexcept override { return machine_.memlock_bytes; }
  std::unique_ptr<Workers> start(Background& work, unsigned threads) noexcept override;
  void wait(const std::atomic<std::uint32_t>& word, std::uint32_t value) noexcept override;
  void wake_all(std::atomic<std::uint32_t>& word) noexcept override;
  std::uint64_t now_ns() noexcept override;
  CallCounts calls() const noexcept override;

 private:
  class Lock;
  class Inside;
  friend class Inside;
  friend class SimRing;
  friend class SimWorkers;
  /// Lives as long as a descriptor, a map, a ring or a call under way needs it.
  struct OpenFile {
    std::shared_ptr<Inode> inode;
    std::string path;
    int flags = 0;
    std::uint64_t errors_seen = 0;
  };
  using File = std::shared_ptr<OpenFile>;
  struct Mapping {
    std::byte* address;
    std::size_t bytes;
    File file;
    bool writable;
    bool touched = true;  // taken to be so from the start, until MADV_DONTNEED
  };
  /// An operation that the device works on: its result, when it is known, and what happens then.
  struct Started {
    std::int64_t result;
    std::uint64_t done_ns;
    std::function<void()> finish = {};
  };

  File file_of(int fd);
  int descriptor_for(OpenFile file);
  std::int64_t finish(const Started& started);
  Started start_read(OpenFile& file, const iovec* iov, int count, std::uint64_t offset);
  Started start_write(OpenFile& file, const iovec* iov, int count, std::uint64_t offset);
  /// `bytes` are what the memory `from` holds now.
  Started start_direct_write(Inode& inode, std::uint64_t offset, std::span<const std::byte> bytes,
                             std::vector<iovec> from);
  /// What of a file a sync is about.
  struct Range {
    std::uint64_t offset = 0;
    std::uint64_t bytes = UINT64_MAX;
    bool covers(std::uint64_t block) const {
      const std::uint64_t begin = block * block_bytes;
      return begin + block_bytes > offset && (bytes == UINT64_MAX || begin < offset + bytes);
    }
  };
  Started start_sync(OpenFile& file, Range range);
  int sync_whole(Inside& inside, int fd);
  bool write_back(Inode& inode, std::uint64_t block);
  Mishap mishap();
  void note_flushed(std::uint64_t begun_ns, const Inode& inode, std::uint64_t bytes);
  Started start_fallocate(OpenFile& file, int mode, std::uint64_t offset, std::uint64_t bytes);
  bool fails(Fault fault);
  std::uint64_t shortened(const OpenFile& file, std::uint64_t bytes);
  void write_back_some();
  void damage_some();
  void maybe_cut() {
    if (at_cut_point_) at_cut_point_();
  }
  bool aligned(const OpenFile& file, const iovec* iov, int count, std::uint64_t offset) const;
  std::uint64_t free_bytes() const;

  Machine machine_;
  Streams streams_;
  Scheduler scheduler_;
  Device device_;
  Tree tree_;
  Trace trace_;
  FaultLog fault_log_;
  std::vector<File> files_;  // by descriptor; nullptr: free
  std::vector<Mapping> mappings_;
  std::map<std::byte*, std::size_t> anonymous_;
  std::vector<const Event*> under_way_;
  std::function<void()> at_cut_point_;
  CallCounts counts_;
  mutable std::mutex mutex_;
};

}  // namespace pagealloc::os::sim
