// Questions that no row answers: what does the copy cost, and what does a map do on a file that
// does not fit into memory?
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <latch>
#include <thread>
#include <vector>

#include "harness/campaign.h"
#include "harness/machine.h"
#include "harness/meter.h"
#include "harness/sequence.h"
#include "harness/statistics.h"
#include "harness/workload.h"
#include "pagealloc/open.h"

namespace pagealloc::harness {

using nlohmann::json;

namespace {

/// Copying pages that are in no processor cache into one that is, as the kernel does for a read.
double copy_ns_per_page(std::uint32_t page_bytes) {
  constexpr std::size_t source_bytes = 256U << 20;
  const std::vector<std::byte> source(source_bytes, std::byte{1});
  std::vector<std::byte> frame(page_bytes);
  const std::size_t pages = source_bytes / page_bytes;
  const Sequence order(pages, 1);
  std::uint64_t sum = 0;
  os::Kernel& host = os::linux_kernel();
  const std::uint64_t start_ns = host.now_ns();
  for (std::size_t i = 0; i < pages; ++i) {
    std::memcpy(frame.data(), source.data() + order[i] * page_bytes, page_bytes);
    sum += static_cast<std::uint64_t>(frame[i % page_bytes]);  // or the copy may be left out
  }
  const auto ns = static_cast<double>(host.now_ns() - start_ns);
  return sum == pages ? ns / static_cast<double>(pages) : 0;
}

const Series* find(const std::vector<Series>& all, std::string_view name) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const Series& series) {
    return series.job.name() == name && !series.rounds.empty();
  });
  return found == all.end() ? nullptr : &*found;
}

double median_of(const Series& series, double (*field)(const Round&)) {
  std::vector<double> values;
  for (const Round& round : series.rounds) values.push_back(field(round));
  return median(std::move(values));
}

struct Shared {
  Round round;
  std::int64_t tlb_shootdowns = -1;  // -1: not counted here
};

/// Two threads, each with a handle of its own on one file, read pages in random order: first
/// `before` pages each, then as many as are measured.
std::expected<Shared, std::string> read_with_threads(const Options& options, const Scratch& scratch,
                                                     std::uint64_t before,
                                                     std::uint64_t ops_per_thread) {
  constexpr int threads = 2;
  auto first = open(scratch.path(), options);
  if (!first) return std::unexpected(first.error().cause);
  std::vector<std::unique_ptr<PageFile>> handles;
  for (int i = 0; i < threads; ++i) {
    auto handle = (*first)->another();
    if (!handle) return std::unexpected(handle.error().cause);
    handles.push_back(std::move(*handle));
  }
  std::vector<std::string> reasons(threads);  // why a thread gave up
  std::vector<Histogram> latencies(threads);
  const Sequence order(scratch.pages(), 7);
  const auto read = [&](int thread, std::uint64_t begin, std::uint64_t end) {
    PageFile& file = *handles[static_cast<std::size_t>(thread)];
    for (std::uint64_t i = begin; i < end; ++i) {
      const PageId page = order[i * threads + static_cast<std::uint64_t>(thread)];
      const std::uint64_t start_ns = scratch.kernel().now_ns();
      auto ref = read_page(file, page);
      if (!ref) {
        reasons[static_cast<std::size_t>(thread)] = ref.error().text();
        return;
      }
      std::uint64_t word = 0;
      std::memcpy(&word, ref->bytes().data(), sizeof word);
      if (word != word_of(page, 0)) {
        reasons[static_cast<std::size_t>(thread)] =
            fmt::format("page {}: {}", page, wrong_bytes_text);
        return;
      }
      latencies[static_cast<std::size_t>(thread)].add(scratch.kernel().now_ns() - start_ns);
    }
  };
  std::latch ready(threads);
  std::latch go(1);
  std::vector<std::jthread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      read(i, 0, before);
      latencies[static_cast<std::size_t>(i)] = Histogram();
      ready.count_down();
      go.wait();
      read(i, before, before + ops_per_thread);
    });
  }
  ready.wait();
  const std::int64_t shootdowns = tlb_shootdowns();
  const Meter meter(scratch.kernel());
  go.count_down();
  for (std::jthread& thread : running) thread.join();
  latencies[0].merge(latencies[1]);
  for (const std::string& reason : reasons) {
    if (!reason.empty()) return std::unexpected(reason);
  }
  Shared result;
  result.round = meter.stop(threads * ops_per_thread, options.page_bytes, latencies[0]);
  if (shootdowns >= 0) result.tlb_shootdowns = tlb_shootdowns() - shootdowns;
  return result;
}

}  // namespace

json Campaign::copy_cost() const {
  json result = {{"buffered_ops_per_second", nullptr}, {"direct_ops_per_second", nullptr},
                 {"buffered_cpu_ns_per_op", nullptr},  {"direct_cpu_ns_per_op", nullptr},
                 {"copy_ns_per_page", nullptr},        {"reason", ""}};
  const Series* buffered = find(all_, "random_cold/pread/depth:1");
  const Series* direct = find(all_, "random_cold/direct/depth:1");
  if (buffered == nullptr || direct == nullptr) {
    result["reason"] = "needs the rows random_cold pread and direct, which were not measured";
    return result;
  }
  const auto speed = [](const Round& round) { return round.ops_per_second; };
  const auto cpu = [](const Round& round) { return round.cpu_ns_per_op.value_or(0); };
  result["buffered_ops_per_second"] = median_of(*buffered, speed);
  result["direct_ops_per_second"] = median_of(*direct, speed);
  result["buffered_cpu_ns_per_op"] = median_of(*buffered, cpu);
  result["direct_cpu_ns_per_op"] = median_of(*direct, cpu);
  result["copy_ns_per_page"] = copy_ns_per_page(plan_.page_bytes);
  return result;
}

json Campaign::beyond_memory() {
  const std::uint64_t limit_bytes = plan_.file_bytes / file_over_limit;
  json result = {
      {"limit_bytes", limit_bytes}, {"file_bytes", plan_.file_bytes},   {"mmap", nullptr},
      {"direct", nullptr},          {"tlb_shootdowns_per_op", nullptr}, {"reason", ""}};
  auto limit = limit_ ? std::expected<MemoryLimit, std::string>(std::move(*limit_))
                      : MemoryLimit::make(limit_bytes);
  limit_.reset();
  if (!limit) {
    result["reason"] = limit.error();
    return result;
  }
  if (auto cold = read_file_->make_cold(); !cold) {  // pages charged elsewhere would not count
    result["reason"] = cold.error();
    return result;
  }
  if (auto entered = limit->enter(); !entered) {
    result["reason"] = entered.error();
    return result;
  }
  const std::uint64_t ops_per_thread = plan_.mode == Mode::full ? 100'000 : 4'000;
  Options mapped{.impl = "mmap", .page_bytes = plan_.page_bytes, .read_only = true};
  mapped.sync_at_open = false;
  mapped.access = Access::random;
  // Until the group is full of pages that are mapped: from then on each fault must evict one.
  const std::uint64_t before = 3 * limit_bytes / 2 / plan_.page_bytes / 2;
  const auto mapped_read = read_with_threads(mapped, *read_file_, before, ops_per_thread);
  Options direct{.impl = "direct", .page_bytes = plan_.page_bytes, .read_only = true};
  direct.sync_at_open = false;
  const auto direct_read = read_with_threads(direct, *read_file_, 0, ops_per_thread);
  limit->leave();
  if (mapped_read) {
    result["mmap"] = to_json(mapped_read->round);
    if (mapped_read->tlb_shootdowns >= 0) {
      result["tlb_shootdowns_per_op"] = static_cast<double>(mapped_read->tlb_shootdowns) /
                                        static_cast<double>(mapped_read->round.ops);
    }
  }
  if (direct_read) result["direct"] = to_json(direct_read->round);
  for (const auto* read : {&mapped_read, &direct_read}) {
    if (*read) continue;
    result["reason"] = read->error();
    wrong_bytes_ = wrong_bytes_ || read->error().find(wrong_bytes_text) != std::string::npos;
  }
  return result;
}

json Campaign::extras() {
  if (interrupted) {
    const json not_done = {{"reason", "the run was interrupted before"}};
    return {{"copy", not_done}, {"beyond_memory", not_done}};
  }
  // A filter may leave nothing but the caches, and then there is no file to measure on.
  const auto one = [&](const char* name, const char* not_simulated, auto measure) {
    if (!plan_.wants(name) || all_.empty()) return json{{"reason", "left out by the filter"}};
    if (machine_ != nullptr) return json{{"reason", not_simulated}};
    return measure();
  };
  return {{"copy", one("copy",
                       "not available here: the simulated machine has no processor whose time a "
                       "copy could cost",
                       [&] { return copy_cost(); })},
          {"beyond_memory", one("beyond_memory",
                                "not available here: the simulated machine has no control groups, "
                                "and its page cache never fills",
                                [&] { return beyond_memory(); })}};
}

}  // namespace pagealloc::harness
