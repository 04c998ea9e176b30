// Claim: random reads of a mapped file that is in memory, all of it.
#include <array>
#include <cstring>

#include "labs/00_measure/lies/lies.h"

namespace pagealloc::labs::measure {

Result<Report> f(Bench& bench) {
  auto file = filled_file(bench, bench.options("mmap"));
  if (!file) return std::unexpected(file.error());
  bench.start();
  for (std::uint64_t i = 0; i < bench.pages(); ++i) {
    const PageId page = bench.page_at(i);
    std::array<std::uint64_t, page_bytes / 8> words;
    std::memcpy(words.data(), (*file)->peek(page), sizeof words);  // reads the page
  }
  bench.stop();
  return Report{};
}

}  // namespace pagealloc::labs::measure
