#include "harness/caches/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "harness/campaign.h"
#include "harness/sequence.h"
#include "harness/under_test.h"
#include "harness/workload.h"
#include "pagealloc/cache/trace.h"
#include "pagealloc/os/device_reads.h"
#include "pagealloc/random.h"

namespace pagealloc::harness::caches {

using nlohmann::json;

namespace {

/// What a control group needs beside the page cache: stacks, and frames of handles. What is not
/// needed the page cache gets, so little more.
constexpr std::uint64_t beside_bytes = 512U << 10;

/// Reads of a measurement, in multiples of the cache's pages: of what fits, and of what does not.
constexpr std::uint64_t hit_passes = 32;
constexpr std::uint64_t miss_passes = 4;

enum class Pattern : std::uint8_t { zipfian, uniform, sequential };
constexpr std::array pattern_names = {"zipfian", "uniform", "sequential"};

/// For each thread as many pages as follow from `reads`, all from the first `pages` of the file.
std::vector<std::vector<PageId>> orders_of(Pattern pattern, std::uint64_t pages,
                                           std::uint64_t reads, std::size_t threads,
                                           std::uint64_t seed) {
  std::vector<std::vector<PageId>> orders(threads);
  if (pattern == Pattern::sequential) {
    for (std::size_t thread = 0; thread < threads; ++thread) {
      for (std::uint64_t i = 0; i < reads; ++i) {
        orders[thread].push_back((i + thread * pages / threads) % pages);
      }
    }
    return orders;
  }
  // One trace dealt out, so that the threads agree on which pages are hot.
  const auto trace = cache::make_trace(
      pattern == Pattern::zipfian ? cache::Pattern::zipfian : cache::Pattern::uniform, pages,
      reads * threads, seed);
  for (std::size_t i = 0; i < trace.size(); ++i) orders[i % threads].push_back(trace[i]);
  return orders;
}

}  // namespace

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
      page_bytes_(static_cast<std::uint32_t>(file_.bytes() / file_.pages())) {
  auto limit = MemoryLimit::make(extent.budget_bytes + beside_bytes);
  if (limit) {
    limit_.emplace(std::move(*limit));
  } else {
    limit_reason_ = "not available here: " + limit.error();
  }
}

std::string Bench::begin(System system, const Scratch& file) {
  if (auto cold = file.make_cold(); !cold) return cold.error();
  if (!uses_kernel_cache(system)) return {};
  if (!limit_) return limit_reason_;
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
  std::vector<double> ops_per_second = {};
  std::vector<double> hit_ratios = {};
  std::optional<double> held_bytes = {};  // of the file, at the end of the last round
  std::string reason = {};
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
  std::vector<std::vector<PageId>> each(1, std::vector<PageId>(fits ? pages : 0));
  std::iota(each[0].begin(), each[0].end(), PageId{0});
  if (std::string reason = begin(row.system, file); !reason.empty()) return reason;
  auto reader = Reader::open(file,
                             options_of(row.system, file, extent_.budget_bytes,
                                        sequential ? Access::sequential : Access::random),
                             row.threads);
  if (!reader) return reader.error();
  for (const auto& orders : {each, before}) {  // what fits is all there before it counts
    if (auto warm = reader->read(orders); !warm) return warm.error();
  }
  const auto reads_before = os::device_read_bytes();
  const auto seconds = reader->read(measured);
  if (!seconds) return seconds.error();
  const auto ops = static_cast<double>(measured.size() * measured[0].size());
  row.ops_per_second.push_back(ops / *seconds);
  const auto resident = file.resident();
  if (!uses_kernel_cache(row.system)) {
    row.held_bytes = static_cast<double>(std::min(file.bytes(), extent_.budget_bytes));
  } else if (resident) {
    row.held_bytes = *resident * static_cast<double>(file.bytes());
  }
  if (!reads_before) return {};
  const auto missed =
      static_cast<double>(os::device_read_bytes().value_or(0) - *reads_before) / page_bytes_;
  row.hit_ratios.push_back(std::clamp(1 - missed / ops, 0.0, 1.0));
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
      if (!row.reason.empty() || interrupted) continue;
      row.reason = measure_row(row, round);
      end();
      note(row.reason);
    }
  }
  json list = json::array();
  for (const Row& row : all) {
    json entry = {{"system", name_of(row.system)},
                  {"workload", pattern_names[static_cast<std::size_t>(row.pattern)]},
                  {"file_over_budget", row.file_over_budget},
                  {"threads", row.threads},
                  {"ops_per_second", json(row.ops_per_second)},
                  {"hit_ratio", nullptr},
                  {"held_bytes", nullptr},
                  {"reason", row.reason}};
    if (row.ops_per_second.empty() && row.reason.empty()) entry["reason"] = interrupted_text;
    if (row.held_bytes) entry["held_bytes"] = *row.held_bytes;
    if (!row.hit_ratios.empty()) {
      entry["hit_ratio"] = std::accumulate(row.hit_ratios.begin(), row.hit_ratios.end(), 0.0) /
                           static_cast<double>(row.hit_ratios.size());
    }
    list.push_back(std::move(entry));
  }
  return list;
}

// --- What a hit costs ---------------------------------------------------------------------------

json Bench::hit_cost() {
  const std::uint64_t pages = hot_pages();
  const std::uint64_t budget = extent_.budget_bytes;
  auto mapped = Reader::open(file_, options_of(System::mmap, file_, budget), 1);
  auto cached = Reader::open(file_, options_of(System::direct_cached, file_, budget), 1);
  for (const auto* reader : {&mapped, &cached}) {
    if (!*reader) return {{"reason", reader->error()}};
  }
  std::vector<double> peek_ns, cached_ns;
  for (std::uint32_t round = 0; round < std::max(3U, extent_.rounds) && !interrupted; ++round) {
    progress_.step("caches/hit cost");
    const auto orders = orders_of(Pattern::uniform, pages, 8 * pages, 1, round + 1);
    std::vector<PageId> each(pages);
    std::iota(each.begin(), each.end(), PageId{0});
    std::uint64_t sum = 0;
    std::uint64_t expected = 0;
    for (const PageId page : each) sum += sum_of({mapped->file().peek(page), page_bytes_});
    if (auto warm = cached->read({each}); !warm) return {{"reason", warm.error()}};
    const auto reads = static_cast<double>(orders[0].size());
    os::Kernel& kernel = file_.kernel();
    std::uint64_t start_ns = kernel.now_ns();
    for (const PageId page : orders[0]) {
      sum += sum_of({mapped->file().peek(page), page_bytes_}) - page_sum(page, page_bytes_);
    }
    peek_ns.push_back(static_cast<double>(kernel.now_ns() - start_ns) / reads);
    for (const PageId page : each) expected += page_sum(page, page_bytes_);
    if (sum != expected) {
      wrong_bytes_ = true;
      return {{"reason", fmt::format("peek: {}", wrong_bytes_text)}};
    }
    start_ns = kernel.now_ns();
    for (const PageId page : orders[0]) {
      if (auto good = cached->read_one(page); !good) return {{"reason", good.error()}};
    }
    cached_ns.push_back(static_cast<double>(kernel.now_ns() - start_ns) / reads);
  }
  if (interrupted) return {{"reason", interrupted_text}};
  return {{"peek_ns", json(peek_ns)}, {"cached_ns", json(cached_ns)}};
}

// --- Many handles -------------------------------------------------------------------------------

struct Bench::Team {
  System system;
  std::size_t handles;
  std::optional<Reader> reader = {};
  std::vector<double> one = {}, many = {};  // reads per second
  std::string reason = {};
};

void Bench::open_team(Team& team) {
  Options options = options_of(team.system, file_, extent_.budget_bytes);
  // Eight times the cache may be more than may be locked.
  if (team.system == System::uring_cached) options.registered_buffers = false;
  auto reader = Reader::open(file_, options, team.handles);
  if (!reader) {
    team.reason = reader.error();
    return;
  }
  std::vector<PageId> each(hot_pages());
  std::iota(each.begin(), each.end(), PageId{0});
  if (auto warm = reader->read({each}); !warm) team.reason = warm.error();
  team.reader.emplace(std::move(*reader));
}

/// One thread, then all: the same number of reads, so that waking the threads costs both the same.
void Bench::measure_team(Team& team, std::uint32_t round) {
  const std::uint64_t reads = std::max<std::uint64_t>(64 * hot_pages(), 1U << 17);
  for (const std::size_t threads : {std::size_t{1}, team.handles}) {
    const auto orders =
        orders_of(Pattern::uniform, hot_pages(), reads / threads, threads, round + 1);
    const auto took = team.reader->read(orders);
    if (!took) team.reason = took.error();
    if (!took) return;
    (threads == 1 ? team.one : team.many).push_back(static_cast<double>(reads) / *took);
  }
}

json Bench::scaling() {
  std::vector<Team> teams;
  for (const std::size_t handles : {std::size_t{2}, std::size_t{8}}) {
    // A map's readers share nothing that is written: what they gain is what the processors can
    // give. That changes from second to second on a shared machine, so all are measured in turn.
    for (const System system : {System::mmap, System::direct_cached, System::uring_cached}) {
      teams.push_back({system, handles});
    }
  }
  for (Team& team : teams) open_team(team);
  for (std::uint32_t round = 0; round < 2 * extent_.rounds + 1; ++round) {
    progress_.step("caches/scaling");
    for (std::size_t i = 0; i < teams.size(); ++i) {
      Team& team = teams[(i + round) % teams.size()];
      if (interrupted) team.reason = interrupted_text;
      if (team.reason.empty()) measure_team(team, round);
    }
  }
  json list = json::array();
  for (const Team& team : teams) {
    note(team.reason);
    const bool measured = team.reason.empty();
    list.push_back({{"system", name_of(team.system)},
                    {"handles", team.handles},
                    {"one", measured ? json(team.one) : json::array()},
                    {"many", measured ? json(team.many) : json::array()},
                    {"reason", team.reason}});
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
