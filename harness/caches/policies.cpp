#include "harness/caches/policies.h"

#include <fmt/format.h>

#include <fstream>
#include <set>

#include "pagealloc/cache/trace.h"

namespace pagealloc::harness::caches {

using nlohmann::json;

namespace {

json compare(std::string_view name, std::string_view what, const cache::Trace& trace) {
  const std::uint64_t pages = std::set<PageId>(trace.begin(), trace.end()).size();
  json sizes = json::array();
  for (const std::uint32_t frames : cache::sizes_of(trace)) {
    json hits;
    for (const Eviction eviction : cache::policies) {
      hits[std::string(cache::name_of(eviction))] = cache::hits_of(trace, eviction, frames);
    }
    hits["optimum"] = cache::hits_of_optimum(trace, frames);
    sizes.push_back({{"frames", frames}, {"hits", std::move(hits)}});
  }
  return {{"name", name},
          {"what", what},
          {"accesses", trace.size()},
          {"pages", pages},
          {"sizes", std::move(sizes)}};
}

}  // namespace

std::expected<json, std::string> compare_policies(const std::string& recorded) {
  constexpr std::uint64_t pages = 10'000;
  constexpr std::uint64_t accesses = 100'000;
  constexpr std::uint64_t seed = 1;
  json traces = json::array();
  traces.push_back(compare("uniform", "Every page as likely as another: nothing to learn.",
                           make_trace(cache::Pattern::uniform, pages, accesses, seed)));
  traces.push_back(compare("zipfian", "The page of rank r is read about as often as 1/r.",
                           make_trace(cache::Pattern::zipfian, pages, accesses, seed)));
  traces.push_back(
      compare("scan-mixed",
              "Two in three accesses go to a hot tenth of the pages, one goes on with a "
              "scan of all.",
              make_trace(cache::Pattern::scan_mixed, pages, accesses, seed)));
  if (recorded.empty()) return json{{"traces", std::move(traces)}};
  std::ifstream file(recorded);
  if (!file) return std::unexpected(fmt::format("{}: cannot be opened", recorded));
  std::string what;
  std::getline(file, what);  // "# what it is"
  const auto trace = cache::read_trace(file, recorded);
  if (!trace) return std::unexpected(trace.error().text());
  if (trace->empty()) return std::unexpected(fmt::format("{}: the trace is empty", recorded));
  what.erase(0, what.find_first_not_of("# "));
  traces.push_back(compare("recorded", what, *trace));
  return json{{"traces", std::move(traces)}};
}

}  // namespace pagealloc::harness::caches
