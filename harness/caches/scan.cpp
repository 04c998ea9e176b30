// What a hot set's readers see when its cache is warm, half warm, or scanned through.
#include <fmt/format.h>

#include <algorithm>

#include "harness/caches/bench.h"
#include "harness/campaign.h"
#include "harness/sequence.h"
#include "pagealloc/cache/trace.h"
#include "pagealloc/os/device_reads.h"
#include "pagealloc/random.h"

namespace pagealloc::harness::caches {

using nlohmann::json;

namespace {

constexpr std::uint64_t seed = 11;

/// So many pages, from all over the file.
std::vector<PageId> hot_pages_of(const Scratch& file, std::uint64_t count) {
  const Sequence order(file.pages(), seed);
  std::vector<PageId> pages(count);
  for (std::uint64_t i = 0; i < count; ++i) pages[i] = order[i];
  return pages;
}

/// `reads` of them, each as likely as another.
std::vector<PageId> draw(const std::vector<PageId>& pages, std::uint64_t reads, Random& random) {
  std::vector<PageId> drawn(reads);
  for (PageId& page : drawn) page = pages[random.below(pages.size())];
  return drawn;
}

constexpr const char* state_names[] = {"warm", "half_warm", "scan"};

/// What is read of the hot set from now on.
std::vector<PageId> order_of(const std::vector<PageId>& hot, State state, std::uint64_t pages,
                             Random& random) {
  if (state == State::warm) return draw(hot, 16 * hot.size(), random);
  if (state == State::scan) return draw(hot, pages, random);
  std::vector<PageId> order = hot;  // half warm is over when all of it was asked for: once
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

/// Beside a scan a batch of its pages is read after each batch of the hot set's; the time of the
/// latter is what counts. So the scan is the same for all, however fast they are.
std::expected<Seen, std::string> see(Reader& reader, const Scratch& file,
                                     const std::vector<PageId>& hot, State state,
                                     std::uint64_t round) {
  Random random(round + 1);
  const std::size_t known = state == State::half_warm ? hot.size() / 2 : hot.size();
  const std::vector<PageId> before(hot.begin(), hot.begin() + static_cast<std::ptrdiff_t>(known));
  for (int times = 0; times < 3; ++times) {
    if (auto warm = reader.read({before}); !warm) return std::unexpected(warm.error());
  }
  auto scanner = reader.scanner();
  if (!scanner) return std::unexpected(scanner.error());
  const std::vector<PageId> order = order_of(hot, state, file.pages(), random);
  std::vector<PageId> scanned(Reader::batch);
  std::uint64_t ns = 0;
  long blocks = 0;
  for (std::size_t at = 0; at < order.size(); at += Reader::batch) {
    const auto now = std::span(order).subspan(at, std::min(Reader::batch, order.size() - at));
    const long blocks_before = os::thread_read_blocks();
    const std::uint64_t start_ns = file.kernel().now_ns();
    if (auto bad = read_pages(reader.file(), now); !bad.empty()) return std::unexpected(bad);
    ns += file.kernel().now_ns() - start_ns;
    blocks += os::thread_read_blocks() - blocks_before;
    if (state != State::scan) continue;
    for (std::size_t i = 0; i < scanned.size(); ++i) scanned[i] = (at + i) % file.pages();
    if (auto bad = read_pages(**scanner, scanned); !bad.empty()) return std::unexpected(bad);
  }
  const auto reads = static_cast<double>(order.size());
  const auto missed =
      static_cast<double>(blocks) * 512 / static_cast<double>(file.bytes() / file.pages());
  return Seen{reads / (static_cast<double>(ns) / 1e9), std::clamp(1 - missed / reads, 0.0, 1.0)};
}

}  // namespace

std::expected<Seen, std::string> Bench::measure_state(System system, const std::vector<PageId>& hot,
                                                      State state, std::uint32_t round) {
  const std::size_t streams = state == State::scan ? 1 : 0;
  if (const std::string reason = begin(system, file_, streams); !reason.empty()) {
    return std::unexpected(reason);
  }
  auto reader = Reader::open(file_, options_of(system, file_, extent_.budget_bytes), 1);
  if (!reader) return std::unexpected(reader.error());
  return see(*reader, file_, hot, state, round);
}

json Bench::states() {
  const auto hot = hot_pages_of(file_, hot_pages());
  json list = json::array();
  for (const State state : {State::warm, State::half_warm, State::scan}) {
    std::vector<Measured> measured(std::size(systems));
    for (std::uint32_t round = 0; round < extent_.rounds; ++round) {
      for (std::size_t turn = 0; turn < std::size(systems); ++turn) {
        const std::size_t i = (turn + round) % std::size(systems);
        progress_.step(fmt::format("caches/{}", state_names[static_cast<std::size_t>(state)]));
        if (!measured[i].reason.empty() || interrupted) continue;
        const auto seen = measure_state(systems[i], hot, state, round);
        end();
        if (!seen) {
          measured[i].reason = seen.error();
          note(seen.error());
          continue;
        }
        measured[i].ops_per_second.push_back(seen->ops_per_second);
        if (hits_reason_.empty()) measured[i].hit_ratios.push_back(seen->hit_ratio);
      }
    }
    for (std::size_t i = 0; i < std::size(systems); ++i) {
      json entry = {{"system", name_of(systems[i])},
                    {"state", state_names[static_cast<std::size_t>(state)]}};
      measured[i].describe(entry);
      list.push_back(std::move(entry));
    }
  }
  return list;
}

namespace {

constexpr std::size_t steps_around = 8;  // before the scan, and after it

}  // namespace

/// The hot set's hit ratio, step by step. By one thread, a page of the scan after each read of the
/// hot set, so that the policies see the same accesses in the same order.
std::expected<std::vector<double>, std::string> Bench::scan_line(const Options& options,
                                                                 System system) {
  if (!hits_reason_.empty()) return std::unexpected(hits_reason_);
  if (const std::string reason = begin(system, file_, 1); !reason.empty()) {
    return std::unexpected(reason);
  }
  auto reader = Reader::open(file_, options, 1);
  if (!reader) return std::unexpected(reader.error());
  auto scanner = reader->scanner();
  if (!scanner) return std::unexpected(scanner.error());
  const auto hot = hot_pages_of(file_, hot_pages());
  Random random(seed);
  std::uint64_t hits = 0;
  const auto read_hot = [&] {
    const long blocks = os::thread_read_blocks();
    const auto good = reader->read_one(hot[random.below(hot.size())]);
    hits += os::thread_read_blocks() == blocks ? 1U : 0U;
    return good;
  };
  const auto read_cold = [&](PageId page) { return read_pages(**scanner, {&page, 1}); };
  // A cache that has been in use: the file was scanned before, and then the hot set had it alone.
  for (PageId next = 0; next < 2 * file_.pages() && !interrupted; ++next) {
    if (auto good = read_hot(); !good) return std::unexpected(good.error());
    if (auto bad = read_cold(next % file_.pages()); !bad.empty()) return std::unexpected(bad);
  }
  if (interrupted) return std::unexpected(interrupted_text);
  for (std::uint64_t i = 0; i < 4 * hot.size(); ++i) {
    if (auto good = read_hot(); !good) return std::unexpected(good.error());
  }
  const std::uint64_t step_reads = hot.size() / 4;
  const std::size_t scan_steps = file_.pages() / step_reads;
  std::vector<double> line;
  PageId next = 0;
  for (std::size_t step = 0; step < scan_steps + 2 * steps_around; ++step) {
    const bool scanning = step >= steps_around && step < steps_around + scan_steps;
    hits = 0;
    for (std::uint64_t i = 0; i < step_reads; ++i) {
      if (auto good = read_hot(); !good) return std::unexpected(good.error());
      if (!scanning) continue;
      if (auto bad = read_cold(next++); !bad.empty()) return std::unexpected(bad);
    }
    line.push_back(static_cast<double>(hits) / static_cast<double>(step_reads));
  }
  return line;
}

json Bench::scan() {
  const std::uint64_t hot = hot_pages();
  const std::uint64_t step_reads = hot / 4;
  json result = {{"hot_pages", hot},
                 {"cache_pages", cache_pages()},
                 {"file_pages", file_.pages()},
                 {"step_reads", step_reads},
                 {"begins", steps_around},
                 {"ends", steps_around + file_.pages() / step_reads},
                 {"lines", json::array()}};
  const auto add = [&](std::string_view name, const Options& options, System system) {
    progress_.step(fmt::format("caches/scan/{}", name));
    std::expected<std::vector<double>, std::string> line =
        std::unexpected(std::string(interrupted_text));
    if (!interrupted) line = scan_line(options, system);
    end();
    const std::string reason = line ? "" : line.error();
    note(reason);
    result["lines"].push_back(
        {{"name", name}, {"hit_ratio", line ? json(*line) : json::array()}, {"reason", reason}});
  };
  add("kernel", options_of(System::pread, file_, extent_.budget_bytes), System::pread);
  for (const Eviction eviction :
       {Eviction::clock, Eviction::lru, Eviction::s3_fifo, Eviction::two_q}) {
    Options options = options_of(System::direct_cached, file_, extent_.budget_bytes);
    options.cache.eviction = eviction;
    add(cache::name_of(eviction), options, System::direct_cached);
  }
  return result;
}

}  // namespace pagealloc::harness::caches
