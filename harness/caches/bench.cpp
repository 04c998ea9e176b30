#include "harness/caches/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "harness/caches/orders.h"
#include "harness/campaign.h"
#include "harness/machine.h"
#include "harness/workload.h"
#include "pagealloc/os/device_reads.h"

namespace pagealloc::harness::caches {

using nlohmann::json;

namespace {

/// What a control group needs beside the page cache: stacks, and frames of two handles. What is not
/// needed the page cache gets, so little more.
std::uint64_t beside_bytes(std::uint32_t page_bytes) {
  return (256U << 10) + 2 * Reader::batch * page_bytes;
}

/// Reads of a measurement, in multiples of the cache's pages: of what fits, and of what does not.
constexpr std::uint64_t hit_passes = 32;
constexpr std::uint64_t miss_passes = 4;

/// Pages that are being read cannot be taken back. Of each stream that reads in order there may be
/// two windows of them, and POSIX_FADV_SEQUENTIAL, which the map has no use for, doubles a window
/// (mm/fadvise.c, mm/readahead.c). Who reads anywhere has said so, and nothing is read ahead.
std::uint64_t most_under_way_bytes(System system, std::size_t streams, std::uint64_t ahead_bytes) {
  return 2 * streams * ahead_bytes * (system == System::pread ? 2 : 1);
}

/// Why hits on such files cannot be told from misses: a file system may have no device, or none
/// that the kernel counts for it. Empty: they can, in both ways of asking.
std::string why_hits_are_unknown(const Scratch& file) {
  if (auto cold = file.make_cold(); !cold) return cold.error();
  const auto bytes = os::device_read_bytes();
  if (!bytes) return "not available here: /proc/self/io cannot be read";
  const long blocks = os::thread_read_blocks();
  if (auto warm = file.make_warm(); !warm) return warm.error();
  constexpr std::uint64_t block_bytes = 512;
  const auto by_thread =
      static_cast<std::uint64_t>(os::thread_read_blocks() - blocks) * block_bytes;
  const std::uint64_t by_process = os::device_read_bytes().value_or(*bytes) - *bytes;
  if (std::min(by_thread, by_process) >= file.bytes()) return {};
  return fmt::format(
      "not available here: of {} bytes read from this file system the kernel has counted {}",
      file.bytes(), std::min(by_thread, by_process));
}

}  // namespace

void Measured::describe(json& entry) const {
  entry["ops_per_second"] = ops_per_second;
  entry["hit_ratio"] = nullptr;
  if (!hit_ratios.empty()) {
    entry["hit_ratio"] = std::accumulate(hit_ratios.begin(), hit_ratios.end(), 0.0) /
                         static_cast<double>(hit_ratios.size());
  }
  entry["reason"] = ops_per_second.empty() && reason.empty() ? interrupted_text : reason;
}

std::expected<Files, std::string> make_files(const std::string& directory,
                                             std::uint64_t budget_bytes, std::uint32_t page_bytes,
                                             Progress& progress) {
  const auto make = [&](const char* name, std::uint64_t bytes) {
    return Scratch::make(os::linux_kernel(), directory + name, bytes, page_bytes,
                         [&](double share) {
                           progress.note("caches: writing the files", share);
                           return !interrupted.load();
                         });
  };
  auto half = make("/half.pa", budget_bytes / 2);
  if (!half) return std::unexpected(half.error());
  auto one = make("/one.pa", budget_bytes);
  if (!one) return std::unexpected(one.error());
  auto four = make("/four.pa", 4 * budget_bytes);
  if (!four) return std::unexpected(four.error());
  return Files{std::move(*half), std::move(*one), std::move(*four)};
}

Bench::Bench(const Files& files, const Extent& extent, Progress& progress)
    : files_(files),
      file_(files.four),
      extent_(extent),
      progress_(progress),
      page_bytes_(static_cast<std::uint32_t>(file_.bytes() / file_.pages())),
      ahead_bytes_(read_ahead_bytes(file_.path())),
      hits_reason_(why_hits_are_unknown(files.half)) {
  auto limit = MemoryLimit::make(extent.budget_bytes + beside_bytes(page_bytes_));
  if (limit) {
    limit_.emplace(std::move(*limit));
  } else {
    limit_reason_ = "not available here: " + limit.error();
  }
}

std::string Bench::begin(System system, const Scratch& file, std::size_t streams) {
  if (auto cold = file.make_cold(); !cold) return cold.error();
  if (!uses_kernel_cache(system)) return {};
  if (!limit_) return limit_reason_;
  // A control group for so little memory ends whoever finds none in it.
  const std::uint64_t under_way_bytes =
      std::min(file.bytes(), most_under_way_bytes(system, streams, ahead_bytes_));
  if (under_way_bytes >= extent_.budget_bytes) {
    return fmt::format(
        "not available here: the kernel may read {} bytes ahead on this disk; of what {} in order "
        "{} bytes may be under way, too much for a page cache of {} bytes",
        ahead_bytes_, streams == 1 ? "one stream reads" : fmt::format("{} streams read", streams),
        under_way_bytes, extent_.budget_bytes);
  }
  auto entered = limit_->enter();
  return entered ? "" : "not available here: " + entered.error();
}

void Bench::end() {
  if (limit_) limit_->leave();
}

void Bench::note(const std::string& reason) {
  wrong_bytes_ = wrong_bytes_ || reason.find(wrong_bytes_text) != std::string::npos;
}

// --- The comparison -----------------------------------------------------------------------------

struct Bench::Row {
  System system;
  Pattern pattern;
  double file_over_budget;
  std::size_t threads;
  Measured measured = {};
  std::optional<double> held_bytes = {};  // of the file, at the end of the last round
};

const Scratch& Bench::file_of(const Row& row) const {
  if (row.file_over_budget < 1) return files_.half;
  return row.file_over_budget == 1 ? files_.one : files_.four;
}

/// All systems read the same pages in the same order, and as many of them: who would go on until
/// the time is up hits more the second time. The answer: why it could not be measured.
std::string Bench::measure_row(Row& row, std::uint32_t round) {
  const Scratch& file = file_of(row);
  const std::uint64_t pages = file.pages();
  const bool fits = pages <= cache_pages();
  const bool sequential = row.pattern == Pattern::sequential;
  const std::uint64_t reads = (fits ? hit_passes : miss_passes) * cache_pages() / row.threads;
  // Before the control group is entered, whose memory is for the cache.
  auto before = orders_of(row.pattern, pages, 2 * reads, row.threads, round + 1);
  std::vector<std::vector<PageId>> measured;
  for (auto& order : before) {
    const auto middle = order.begin() + static_cast<std::ptrdiff_t>(order.size() / 2);
    measured.emplace_back(middle, order.end());
    order.erase(middle, order.end());
  }
  const std::vector<std::vector<PageId>> each{each_of(fits ? pages : 0)};
  const std::size_t streams = sequential ? row.threads : 0;
  if (std::string reason = begin(row.system, file, streams); !reason.empty()) return reason;
  auto reader = Reader::open(file,
                             options_of(row.system, file, extent_.budget_bytes,
                                        sequential ? Access::sequential : Access::random),
                             row.threads);
  if (!reader) return reader.error();
  // What fits is all there before it counts.
  if (auto warm = reader->read(each); !warm) return warm.error();
  if (auto warm = reader->read(before); !warm) return warm.error();
  const std::uint64_t reads_before = os::device_read_bytes().value_or(0);
  const auto seconds = reader->read(measured);
  if (!seconds) return seconds.error();
  const auto ops = static_cast<double>(measured.size() * measured[0].size());
  row.measured.ops_per_second.push_back(ops / *seconds);
  const auto resident = file.resident();
  if (!uses_kernel_cache(row.system)) {
    row.held_bytes = static_cast<double>(std::min(file.bytes(), extent_.budget_bytes));
  } else if (resident) {
    row.held_bytes = *resident * static_cast<double>(file.bytes());
  }
  if (!hits_reason_.empty()) return {};
  const auto missed =
      static_cast<double>(os::device_read_bytes().value_or(0) - reads_before) / page_bytes_;
  row.measured.hit_ratios.push_back(std::clamp(1 - missed / ops, 0.0, 1.0));
  return {};
}

json Bench::rows() {
  std::vector<Row> all;
  const std::vector<Pattern> patterns =
      extent_.all ? std::vector{Pattern::zipfian, Pattern::uniform, Pattern::sequential}
                  : std::vector{Pattern::zipfian, Pattern::sequential};
  const std::vector<double> shares =
      extent_.all ? std::vector{0.5, 1.0, 4.0} : std::vector{0.5, 4.0};
  for (const Pattern pattern : patterns) {
    for (const double share : shares) {
      for (std::size_t threads = 1; threads <= (extent_.all ? 2U : 1U); ++threads) {
        for (const System system : systems) all.push_back({system, pattern, share, threads});
      }
    }
  }
  for (std::uint32_t round = 0; round < extent_.rounds; ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      // Of the four that are compared another one begins each time.
      Row& row = all[i / 4 * 4 + (i + round) % 4];
      progress_.step(fmt::format("caches/{}/{}",
                                 pattern_names[static_cast<std::size_t>(row.pattern)],
                                 name_of(row.system)));
      if (!row.measured.reason.empty() || interrupted) continue;
      row.measured.reason = measure_row(row, round);
      end();
      note(row.measured.reason);
    }
  }
  json list = json::array();
  for (const Row& row : all) {
    json entry = {{"system", name_of(row.system)},
                  {"workload", pattern_names[static_cast<std::size_t>(row.pattern)]},
                  {"file_over_budget", row.file_over_budget},
                  {"threads", row.threads},
                  {"held_bytes", nullptr}};
    if (row.held_bytes) entry["held_bytes"] = *row.held_bytes;
    row.measured.describe(entry);
    list.push_back(std::move(entry));
  }
  return list;
}

std::size_t Bench::steps(const Extent& extent) {
  const std::size_t rows = extent.all ? 3 * 3 * 2 * 4 : 2 * 2 * 4;
  return rows * extent.rounds + std::max(3U, extent.rounds) + (2 * extent.rounds + 1) +
         3 * 4 * extent.rounds + 5;
}

json Bench::measure() {
  json result = {{"reason", ""},
                 {"page_bytes", page_bytes_},
                 {"budget_bytes", extent_.budget_bytes},
                 {"limit", nullptr},
                 {"limit_reason", limit_reason_}};
  if (limit_) result["limit"] = limit_->describe();
  result["rows"] = rows();
  result["hit_cost"] = hit_cost();
  note(result["hit_cost"].value("reason", ""));
  result["scaling"] = scaling();
  result["states"] = states();
  result["scan"] = scan();
  return result;
}

}  // namespace pagealloc::harness::caches
