#include "labs/00_measure/bench.h"

#include <cstring>

namespace pagealloc::labs::measure {

Result<void> fill(Bench& bench, File& file) {
  for (PageId page = 0; page < bench.pages(); ++page) {
    if (auto written = write_page(file, page, bench.content(page)); !written) return written;
  }
  return sync(file);
}

Result<std::unique_ptr<File>> filled_file(Bench& bench, const Options& options) {
  auto file = open(bench.path(), options);
  if (!file) return file;
  if (auto grown = (*file)->resize(bench.pages()); !grown) return std::unexpected(grown.error());
  if (auto filled = fill(bench, **file); !filled) return std::unexpected(filled.error());
  return file;
}

std::uint64_t sum_of(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at + sizeof sum <= bytes.size(); at += sizeof sum) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    sum += word;
  }
  return sum;
}

Result<void> read_each(Bench& bench, File& file, std::uint32_t depth, const Use& use) {
  std::vector<Read> reads(depth);
  Frames frames(depth);
  std::uint64_t begun = 0;
  std::uint64_t under_way = 0;
  const auto begin = [&](Read& read) {
    if (begun == bench.pages()) return;
    read.page = bench.page_at(begun++);
    file.begin(read);
    ++under_way;
  };
  for (Read& read : reads) {
    read.frame = frames[static_cast<std::size_t>(&read - reads.data())];
    begin(read);
  }
  Result<void> result;
  for (; under_way > 0; --under_way) {
    Read& read = file.next();
    const std::uint64_t now_ns = bench.kernel().now_ns();
    if (read.result != page_bytes) {
      result = std::unexpected(file.error(read.result, "a page was not read"));
      begun = bench.pages();  // what is under way comes back, and nothing else begins
      continue;
    }
    use(read.page, {read.frame, page_bytes}, now_ns - read.begun_ns);
    begin(read);
  }
  return result;
}

Result<std::uint64_t> read_side(Bench& bench, std::string_view name, const Options& options,
                                std::uint32_t depth) {
  auto file = open(bench.path(), options);
  if (!file) return std::unexpected(file.error());
  std::uint64_t sum = 0;
  bench.start(name);
  const auto read = read_each(bench, **file, depth,
                              [&](PageId, auto bytes, std::uint64_t) { sum += sum_of(bytes); });
  bench.stop();
  if (!read) return std::unexpected(read.error());
  return sum;
}

}  // namespace pagealloc::labs::measure
