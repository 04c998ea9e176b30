// What the benchmarks of lab 00 are written against.
//
// A benchmark makes a claim about a file of pages() pages, and says where it is measured: between
// start() and stop(). Who runs it counts what the machine was asked for meanwhile; the clock of the
// simulated machine is for latencies, and that of the host is not looked at.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "labs/00_measure/file.h"
#include "pagealloc/os/kernel.h"

namespace pagealloc::labs::measure {

/// Latencies that belong together.
struct Group {
  std::uint64_t count = 0;
  std::uint64_t median_ns = 0;
};

/// What a benchmark says that it has seen.
struct Report {
  std::uint64_t sum = 0;              ///< of all words of all pages that were read, modulo 2^64
  std::uint64_t writes_per_sync = 0;  ///< of durable writes; 0: none is claimed to be durable
  std::vector<Group> groups = {};     ///< of the latencies, where it says how long one takes
};

class Bench {
 public:
  virtual ~Bench() = default;

  /// The machine, simulated or this one.
  virtual os::Kernel& kernel() = 0;
  /// Of a file that is not there yet.
  virtual std::string path() const = 0;
  virtual std::uint64_t pages() const = 0;
  /// How its files are opened: by this kernel, and made if they are not there.
  virtual Options options(std::string_view impl) = 0;
  /// What `page` is to hold when the benchmark has written it, now: bytes that no other page has,
  /// and after start() others than before. Valid until the next call.
  virtual std::span<const std::byte> content(PageId page) = 0;
  /// The page of operation `index`: each page once, in an order that looks random.
  virtual PageId page_at(std::uint64_t index) const = 0;

  /// The measured section begins; a comparison has two of them, with names.
  virtual void start(std::string_view side = {}) = 0;
  virtual void stop() = 0;
  /// The write to this page counts as done, now. The power may go at this moment.
  virtual void done(PageId page) = 0;
};

/// Writes content(page) to each page, in order, and syncs.
Result<void> fill(Bench& bench, File& file);
/// The file of the bench, opened so, as long as pages(), filled and synced.
Result<std::unique_ptr<File>> filled_file(Bench& bench, const Options& options);

/// All words of these bytes added up.
std::uint64_t sum_of(std::span<const std::byte> bytes);

/// What read_each() calls for each page: its bytes, and how long it took from begin() to next().
using Use = std::function<void(PageId, std::span<const std::byte>, std::uint64_t ns)>;
/// Reads each page once, in the order of page_at(), with `depth` reads begun and not ended.
Result<void> read_each(Bench& bench, File& file, std::uint32_t depth, const Use& use);

/// One side of a comparison, from start(name) to stop(): opens the file, reads each page with
/// `depth` reads begun and not ended, and adds all words up.
Result<std::uint64_t> read_side(Bench& bench, std::string_view name, const Options& options,
                                std::uint32_t depth);

}  // namespace pagealloc::labs::measure
