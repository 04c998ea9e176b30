#include "harness/caches/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "harness/caches/device_reads.h"
#include "harness/campaign.h"
#include "harness/sequence.h"
#include "harness/under_test.h"
#include "harness/workload.h"
#include "pagealloc/cache/trace.h"
#include "pagealloc/random.h"

namespace pagealloc::harness::caches {

using nlohmann::json;

namespace {

/// What a control group needs beside the page cache: stacks, and frames of handles. What is not
/// needed the page cache gets, so little more.
constexpr std::uint64_t beside_bytes = 512U << 10;

enum class Pattern : std::uint8_t { zipfian, uniform, sequential };
constexpr std::array pattern_names = {"zipfian", "uniform", "sequential"};

/// For each thread as many pages as follow from `reads`, all from the first `pages` of the file.
std::vector<std::vector<PageId>> orders_of(Pattern pattern, std::uint64_t pages,
                                           std::uint64_t reads, std::size_t threads,
                                           std::uint64_t seed) {
  std::vector<std::vector<PageId>> orders(threads);
  if (pattern == Pattern::sequential) {
    for (std::size_t thread = 0; thread < threads; ++thread) {
      for (std::uint64_t i = 0; i < std::max(reads, pages); ++i) {
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

Bench::Bench(const Scratch& file, const Extent& extent, Progress& progress)
    : file_(file),
      extent_(extent),
      progress_(progress),
      page_bytes_(static_cast<std::uint32_t>(file.bytes() / file.pages())) {
  auto limit = MemoryLimit::make(extent.budget_bytes + beside_bytes);
  if (limit) {
    limit_.emplace(std::move(*limit));
  } else {
    limit_reason_ = "not available here: " + limit.error();
  }
}

std::string Bench::begin(System system) {
  if (auto cold = file_.make_cold(); !cold) return cold.error();
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
  double held_bytes = 0;  // of the file, at the end of the last round
  std::string reason = {};
};

void Bench::measure_row(Row& row, std::uint32_t round) {
  const auto pages =
      static_cast<std::uint64_t>(row.file_over_budget * static_cast<double>(cache_pages()));
  const std::uint64_t reads = 4 * cache_pages() / row.threads;
  const bool sequential = row.pattern == Pattern::sequential;
  const Options options = options_of(row.system, file_, extent_.budget_bytes,
                                     sequential ? Access::sequential : Access::random);
  auto reader = Reader::open(file_, options, row.threads);
  if (!reader) return void(row.reason = reader.error());
  const auto orders = orders_of(row.pattern, pages, 2 * reads, row.threads, round + 1);
  if (pages <= cache_pages()) {  // what fits is all there before it counts
    std::vector<std::vector<PageId>> each(1, std::vector<PageId>(pages));
    std::iota(each[0].begin(), each[0].end(), PageId{0});
    if (auto warm = reader->read(each); !warm) return void(row.reason = warm.error());
  }
  std::vector<std::vector<PageId>> before, measured;
  for (const auto& order : orders) {
    const auto middle = order.begin() + static_cast<std::ptrdiff_t>(order.size() / 2);
    before.emplace_back(order.begin(), sequential ? order.end() : middle);
    measured.emplace_back(sequential ? order.begin() : middle, order.end());
  }
  if (auto warm = reader->read(before); !warm) return void(row.reason = warm.error());
  std::uint64_t ops = 0;
  double seconds = 0;
  const auto reads_before = device_read_bytes();
  while (seconds < extent_.seconds) {
    const auto took = reader->read(measured);
    if (!took) return void(row.reason = took.error());
    seconds += *took;
    for (const auto& order : measured) ops += order.size();
  }
  row.ops_per_second.push_back(static_cast<double>(ops) / seconds);
  row.held_bytes = static_cast<double>(std::min(pages * page_bytes_, extent_.budget_bytes));
  if (const auto resident = file_.resident(); uses_kernel_cache(row.system) && resident) {
    row.held_bytes = *resident * static_cast<double>(file_.bytes());
  }
  if (!reads_before) return;
  const auto missed = static_cast<double>(*device_read_bytes() - *reads_before) / page_bytes_;
  row.hit_ratios.push_back(std::clamp(1 - missed / static_cast<double>(ops), 0.0, 1.0));
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
      row.reason = begin(row.system);
      if (row.reason.empty()) measure_row(row, round);
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
                  {"held_bytes", row.held_bytes},
                  {"reason", row.reason}};
    if (row.ops_per_second.empty() && row.reason.empty()) entry["reason"] = interrupted_text;
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
  const std::uint64_t pages = cache_pages() / 2;
  const std::uint64_t budget = extent_.budget_bytes;
  auto mapped = Reader::open(file_, options_of(System::mmap, file_, budget), 1);
  auto cached = Reader::open(file_, options_of(System::direct_cached, file_, budget), 1);
  for (const auto* reader : {&mapped, &cached}) {
    if (!*reader) return {{"reason", reader->error()}};
  }
  std::vector<double> peek_ns, batch_ns, alone_ns;
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
    const auto took = cached->read(orders);
    if (!took) return {{"reason", took.error()}};
    batch_ns.push_back(*took * 1e9 / reads);
    start_ns = kernel.now_ns();
    for (const PageId page : orders[0]) {
      if (auto good = cached->read_one(page); !good) return {{"reason", good.error()}};
    }
    alone_ns.push_back(static_cast<double>(kernel.now_ns() - start_ns) / reads);
  }
  if (interrupted) return {{"reason", interrupted_text}};
  return {{"peek_ns", json(peek_ns)},
          {"cached_ns", json(batch_ns)},
          {"cached_alone_ns", json(alone_ns)}};
}

// --- Many handles -------------------------------------------------------------------------------

json Bench::scaling() {
  json list = json::array();
  const std::uint64_t pages = cache_pages() / 2;
  for (const System system : {System::direct_cached, System::uring_cached}) {
    for (const std::size_t handles : {std::size_t{2}, std::size_t{8}}) {
      progress_.step("caches/scaling");
      std::vector<double> one, many;
      Options options = options_of(system, file_, extent_.budget_bytes);
      // Eight times the cache may be more than may be locked.
      if (system == System::uring_cached) options.registered_buffers = false;
      auto reader = Reader::open(file_, options, handles);
      std::string reason = reader ? "" : reader.error();
      for (std::uint32_t round = 0; round < std::max(3U, extent_.rounds) && reason.empty();
           ++round) {
        if (interrupted) reason = interrupted_text;
        const std::uint64_t reads = 16 * pages;
        for (const std::size_t threads : {std::size_t{1}, handles}) {
          const auto orders = orders_of(Pattern::uniform, pages, reads, threads, round + 1);
          auto took = reader->read(orders);  // once to have all of them in the cache
          if (took) took = reader->read(orders);
          if (!took) reason = took.error();
          if (!took) break;
          (threads == 1 ? one : many).push_back(static_cast<double>(reads * threads) / *took);
        }
      }
      note(reason);
      list.push_back({{"system", name_of(system)},
                      {"handles", handles},
                      {"one", reason.empty() ? json(one) : json::array()},
                      {"many", reason.empty() ? json(many) : json::array()},
                      {"reason", reason}});
    }
  }
  return list;
}

std::size_t Bench::steps(const Extent& extent) {
  const std::size_t rows = extent.all ? 3 * 3 * 2 * 4 : 2 * 2 * 4;
  return rows * extent.rounds + std::max(3U, extent.rounds) + 4 + 3 * 4 * extent.rounds + 5;
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
  result["scaling"] = scaling();
  result["states"] = states();
  result["scan"] = scan();
  return result;
}

}  // namespace pagealloc::harness::caches
