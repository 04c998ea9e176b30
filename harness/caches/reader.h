// A file read through a cache of a given size, the kernel's or its own, by one or more threads.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <semaphore>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "harness/scratch.h"
#include "pagealloc/open.h"

namespace pagealloc::harness::caches {

/// Whose cache it is, and how the bytes come.
enum class System : std::uint8_t { pread, mmap, direct_cached, uring_cached };
inline constexpr System systems[] = {System::pread, System::mmap, System::direct_cached,
                                     System::uring_cached};
std::string_view name_of(System system);
/// Does it read through the kernel's page cache?
bool uses_kernel_cache(System system);

/// How to open `file`: read-only, `budget_bytes` of a cache of its own where it has one.
Options options_of(System system, const Scratch& file, std::uint64_t budget_bytes,
                   Access access = Access::random);

/// Handles on one file, each read by a thread of its own; a single one by its caller. Every word of
/// every page read is added up, and the sum compared with what was written.
class Reader {
 public:
  /// Operations that a thread submits together.
  static constexpr std::size_t batch = 32;

  static std::expected<Reader, std::string> open(const Scratch& file, const Options& options,
                                                 std::size_t threads);
  /// Reads `orders[i]` by handle i, all at the same time. The seconds that took.
  std::expected<double, std::string> read(const std::vector<std::vector<PageId>>& orders);
  // The following are for a reader with one handle.
  /// One page, alone.
  std::expected<void, std::string> read_one(PageId page);
  /// Another stream of reads: of the same cache, but read ahead.
  std::expected<std::unique_ptr<PageFile>, std::string> scanner();
  PageFile& file() { return *only_; }

 private:
  /// A thread that reads what it is given by its handle, which is nobody else's.
  struct Lane {
    explicit Lane(std::unique_ptr<PageFile> its)
        : file(std::move(its)), thread([this] { run(); }) {}
    ~Lane();
    void run();
    std::unique_ptr<PageFile> file;
    std::span<const PageId> order;
    std::string reason;
    bool stop = false;
    std::binary_semaphore begin{0};
    std::binary_semaphore done{0};
    std::jthread thread;  // last: it begins at once
  };
  /// A handle for one more stream of reads.
  Result<std::unique_ptr<PageFile>> next_stream(PageFile& file, const Options& options);
  Reader(const Scratch& file, const Options& options) : scratch_(&file), options_(options) {}
  const Scratch* scratch_;
  Options options_;
  std::unique_ptr<PageFile> only_;            // of one handle
  std::vector<std::unique_ptr<Lane>> lanes_;  // of several
};

/// Reads these pages, a batch at a time; what went wrong, if anything did.
std::string read_pages(PageFile& file, std::span<const PageId> order);

/// The sum of all words of a page.
std::uint64_t sum_of(std::span<const std::byte> bytes) noexcept;

}  // namespace pagealloc::harness::caches
