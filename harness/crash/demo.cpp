#include "harness/crash/demo.h"

#include <fmt/format.h>

#include <cstring>
#include <string>

#include "pagealloc/open.h"
#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::crash {

namespace {

constexpr const char* path = "/pages.pa";

Options on(os::sim::SimKernel& kernel) {
  Options options{.create = true};
  options.kernel = &kernel;
  return options;
}

/// Writes pages 1 ... `pages`, each acknowledged when `write` returns, and takes the power away.
Result<os::sim::Image> write_until_the_cut(std::uint64_t seed, std::uint64_t pages, bool syncs) {
  os::sim::SimKernel kernel({.seed = seed});
  auto file = open(path, on(kernel));
  if (!file) return std::unexpected(file.error());
  if (auto grown = (*file)->resize(pages + 1); !grown) return std::unexpected(grown.error());
  if (auto durable = sync(**file); !durable) return std::unexpected(durable.error());
  for (PageId page = 1; page <= pages; ++page) {
    const std::string text = fmt::format("page {}", page);
    const auto written = write_page(**file, page, std::as_bytes(std::span(text)));
    if (!written) return std::unexpected(written.error());
    if (!syncs) continue;
    if (auto durable = sync(**file); !durable) return std::unexpected(durable.error());
  }
  return kernel.cut(os::sim::Tearing::none);
}

/// How many of them another machine finds on what is left.
Result<std::uint64_t> count_what_is_left(os::sim::Image image, std::uint64_t pages) {
  os::sim::SimKernel kernel({.image = std::move(image)});
  auto file = open(path, on(kernel));
  if (!file) return std::unexpected(file.error());
  std::uint64_t found = 0;
  for (PageId page = 1; page <= pages && page < (*file)->pages(); ++page) {
    auto ref = read_page(**file, page);
    if (!ref) return std::unexpected(ref.error());
    const std::string text = fmt::format("page {}", page);
    found += std::memcmp(ref->bytes().data(), text.c_str(), text.size() + 1) == 0 ? 1U : 0U;
  }
  return found;
}

Result<std::uint64_t> lost(std::uint64_t seed, std::uint64_t pages, bool syncs) {
  auto image = write_until_the_cut(seed, pages, syncs);
  if (!image) return std::unexpected(image.error());
  const auto left = count_what_is_left(std::move(*image), pages);
  if (!left) return left;
  return pages - *left;
}

}  // namespace

int demo() {
  fmt::print(
      "A loop writes pages and says of each that it is written. Then the power goes, and another\n"
      "machine reads what is left. Both columns are the same loop; on the left it calls sync()\n"
      "before it says so.\n\n"
      "  power cut   pages written   lost with sync   lost without\n");
  std::uint64_t lost_with = 0;
  std::uint64_t lost_without = 0;
  std::uint64_t all = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const std::uint64_t pages = 4 + seed * 7 % 9;
    const auto with = lost(seed, pages, true);
    const auto without = lost(seed, pages, false);
    for (const auto* result : {&with, &without}) {
      if (*result) continue;
      fmt::print(stderr, "pagealloc_crash: {}\n", result->error().text());
      return 1;
    }
    fmt::print("{:11} {:15} {:16} {:14}\n", seed, pages, *with, *without);
    all += pages;
    lost_with += *with;
    lost_without += *without;
  }
  fmt::print(
      "\nWithout sync {} of {} pages that were said to be written are gone; with it {}.\n"
      "Nobody killed the program, no call failed, and every page could be read back until then:\n"
      "the bytes were in the page cache, and the page cache is memory.\n",
      lost_without, all, lost_with);
  return lost_with == 0 ? 0 : 1;
}

}  // namespace pagealloc::crash
