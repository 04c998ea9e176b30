#include "harness/caches/orders.h"

#include <numeric>

#include "pagealloc/cache/trace.h"

namespace pagealloc::harness::caches {

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

std::vector<PageId> each_of(std::uint64_t pages) {
  std::vector<PageId> each(pages);
  std::iota(each.begin(), each.end(), PageId{0});
  return each;
}

}  // namespace pagealloc::harness::caches
