// A Bench on the simulated machine, which counts what its programs ask the machine for.
//
// A program that adds up what it believes to be in the file instead of what it reads is found out:
// at start() and at stop() every page of the file gets other bytes, past the page cache, so that
// what was cold stays cold and what was warm stays warm.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/sequence.h"
#include "labs/00_measure/bench.h"
#include "labs/00_measure/counts.h"
#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::labs::measure {

class CountedBench final : public Bench {
 public:
  struct Setup {
    std::uint64_t seed = 1;
    Claim claim = {};
    bool judge_done = false;   ///< the power goes at each done()
    bool syncs_fail = false;   ///< between start() and stop()
    bool reads_fail = false;   ///< the same
    bool empty_cache = false;  ///< at start(); what is in the page cache afterwards went through it
  };
  /// A measured section.
  struct Section {
    std::string name;
    std::uint64_t begun_ns = 0;
    std::uint64_t ended_ns = 0;
    os::sim::DeviceCounts before = {};
    os::sim::DeviceCounts after = {};
    std::size_t first_event = 0;
    std::size_t last_event = 0;
    std::uint64_t pages_written = 0;
    std::uint64_t pages_cached = 0;  ///< in the page cache at start(); of a comparison only
    std::uint64_t version = 0;       ///< of what the file holds between start() and stop()
    std::uint64_t device_reads() const { return after.reads - before.reads; }
    std::uint64_t in_flight() const;
  };
  /// A page that counted as done and was gone after a power cut.
  struct Lost {
    PageId page = 0;
    std::size_t event = 0;  ///< how much had happened by then
    std::uint64_t flushes = 0;
  };

  explicit CountedBench(const Setup& setup);

  os::Kernel& kernel() override { return *kernel_; }
  std::string path() const override { return "/d/pages.pa"; }
  std::uint64_t pages() const override { return pages_; }
  Options options(std::string_view impl) override;
  std::span<const std::byte> content(PageId page) override;
  PageId page_at(std::uint64_t index) const override { return order_[index]; }
  void start(std::string_view side) override;
  void stop() override;
  void done(PageId page) override;

  /// The programs get this kernel, which passes on to `sim` what it does not answer itself.
  void stand_before(os::Kernel& kernel) { kernel_ = &kernel; }
  Counts counts(const Report& report) const;
  const std::vector<Section>& sections() const { return sections_; }
  bool measured() const { return !sections_.empty() && !open_; }
  /// How often each page counted as done.
  const std::map<PageId, std::uint64_t>& done_pages() const { return done_; }
  const std::optional<Lost>& lost() const { return lost_; }
  /// What a report's sum would be of: "no page", "the first word of each page" ...
  std::string meaning_of(std::uint64_t sum) const;
  /// Of all words that could be read in the measured sections.
  std::uint64_t right_sum() const;
  /// How long each preadv of the first section took, in their order.
  std::vector<std::uint64_t> read_ns();
  /// Pages of the file that are not in the page cache. Reads all of it.
  std::uint64_t cold_pages();

  os::sim::SimKernel sim;

 private:
  std::vector<std::byte> bytes_of(PageId page, std::uint64_t version) const;
  std::uint64_t sum_of_version(std::uint64_t version, std::size_t bytes) const;
  std::uint64_t count_written();
  void rewrite();
  std::uint64_t reads_of_all(os::sim::SimKernel& machine) const;
  Setup setup_;
  std::uint64_t pages_;
  harness::Sequence order_;
  std::vector<std::byte> content_;
  std::uint64_t content_version_ = 0;
  std::uint64_t held_version_ = 0;  // of what the file holds, when it was written in full
  std::uint64_t versions_ = 1;
  os::Kernel* kernel_ = &sim;
  bool open_ = false;
  std::vector<Section> sections_;
  std::map<PageId, std::uint64_t> done_;
  std::optional<Lost> lost_;
};

/// Of what has happened on the machine so far: `lines` lines up to event `end`.
std::string events_before(CountedBench& bench, std::size_t end, std::size_t lines);
/// The counts as `lab_00_run` prints them, a line for each that means something for this claim.
std::string text_of(const Claim& claim, const Counts& counts);

}  // namespace pagealloc::labs::measure
