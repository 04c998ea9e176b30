// A node of a B+tree beside LMDB's page, a sorted vector and std::map: looking up, and changing.
//
// All hold the same keys of 16 random bytes, as many as a page of 4096 takes with values of 8
// bytes, and are asked for them in the same random order.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <map>
#include <string>
#include <vector>

#include "harness/search/peers.h"
#include "harness/statistics.h"
#include "pagealloc/page/checksum.h"
#include "pagealloc/page/header.h"
#include "pagealloc/random.h"

namespace pagealloc::search {
namespace {

std::vector<Key> random_keys(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<Key> keys(count);
  for (Key& key : keys) {
    for (unsigned char& byte : key) byte = static_cast<unsigned char>(random.next());
  }
  return keys;
}

/// As many as fit into a page.
std::size_t keys_of_page() {
  Node node;
  for (const Key& key : random_keys(1000, 1)) {
    if (!node.insert(key, 1)) break;
  }
  return node.size();
}

/// Long, so that no processor learns it by heart.
constexpr std::size_t lookups = 1U << 16;

template <typename Peer>
void look_up(benchmark::State& state) {
  const auto keys = random_keys(keys_of_page(), 1);
  Peer peer;
  for (std::size_t i = 0; i < keys.size(); ++i) peer.insert(keys[i], i + 1);
  if constexpr (requires { peer.freeze(); }) peer.freeze();
  Random random(2);
  std::vector<Key> wanted(lookups);
  for (Key& key : wanted) key = keys[random.below(keys.size())];
  std::size_t next = 0;
  std::uint64_t sum = 0;
  for (auto _ : state) {
    sum += peer.find(wanted[next]);
    next = (next + 1) % lookups;
  }
  if (sum < static_cast<std::uint64_t>(state.iterations()))
    state.SkipWithError("a key was not found");
}

/// One key comes and one goes, so that a node has holes and must be compacted again and again.
template <typename Peer>
void replace(benchmark::State& state) {
  const std::size_t live = keys_of_page() - 10;
  const auto keys = random_keys(live * 8, 3);
  Peer peer;
  for (std::size_t i = 0; i < live; ++i) peer.insert(keys[i], i + 1);
  std::size_t oldest = 0;
  bool fits = true;
  for (auto _ : state) {
    peer.erase(keys[oldest]);
    oldest = (oldest + 1) % keys.size();
    fits = peer.insert(keys[(oldest + live - 1) % keys.size()], oldest + 1) && fits;
  }
  if (!fits) state.SkipWithError("a key did not fit");
}

template <auto hash>
void checksum(benchmark::State& state) {
  std::vector<std::byte> page(page_bytes);
  for (auto _ : state) {
    benchmark::DoNotOptimize(page.data());  // as if it were another page each time
    benchmark::DoNotOptimize(hash(page));
  }
}

std::uint64_t xxh3(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

BENCHMARK(look_up<Node>)->Name("look up/node");
BENCHMARK(look_up<Vector>)->Name("look up/vector");
BENCHMARK(look_up<Map>)->Name("look up/map");
BENCHMARK(look_up<Lmdb>)->Name("look up/LMDB");
BENCHMARK(replace<Node>)->Name("erase and insert/node");
BENCHMARK(replace<Map>)->Name("erase and insert/map");
BENCHMARK(replace<Vector>)->Name("erase and insert/vector");
BENCHMARK(replace<Lmdb>)->Name("erase and insert/LMDB");
BENCHMARK(checksum<page::crc32c>)->Name("checksum/CRC32C");
BENCHMARK(checksum<xxh3>)->Name("checksum/XXH3");

/// Says what each takes, and how much of it the node does.
class Table final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.error_occurred) {
        fmt::print("{}: {}\n", run.benchmark_name(), run.error_message);
        failed_ = true;
      }
      if (run.run_type == Run::RT_Iteration) {
        times_ns_[run.run_name.function_name].push_back(run.GetAdjustedRealTime());
      }
    }
  }
  void Finalize() override {
    fmt::print("{:<26}{:>10}{:>20}{:>14}\n", "", "median", "of all runs", "node is");
    for (const auto& [name, times_ns] : times_ns_) {
      const auto [least, most] = std::ranges::minmax(times_ns);
      const double median_ns = harness::median(times_ns);
      const auto node = times_ns_.find(name.substr(0, name.find('/')) + "/node");
      fmt::print("{:<26}{:>7.1f} ns{:>20}", name, median_ns,
                 fmt::format("{:.1f} to {:.1f}", least, most));
      if (node != times_ns_.end() && node->first != name) {
        fmt::print("{:>13.2f}x", median_ns / harness::median(node->second));
      }
      fmt::print("\n");
    }
  }
  bool failed() const { return failed_; }

 private:
  std::map<std::string, std::vector<double>> times_ns_;
  bool failed_ = false;
};

}  // namespace
}  // namespace pagealloc::search

int main(int argc, char** argv) {
  // Interleaved, so that what the machine does meanwhile is shared by all.
  std::vector<char*> arguments(argv, argv + argc);
  std::string repetitions = "--benchmark_repetitions=9";
  std::string interleaved = "--benchmark_enable_random_interleaving=true";
  std::string time = "--benchmark_min_time=0.2";
  arguments.insert(arguments.begin() + 1, {repetitions.data(), interleaved.data(), time.data()});
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 1;
  pagealloc::search::Table table;
  benchmark::RunSpecifiedBenchmarks(&table);
  return table.failed() ? 1 : 0;
}
