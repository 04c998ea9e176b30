#include "labs/00_measure/bench.h"

#include <algorithm>
#include <cstring>

namespace pagealloc::labs::measure {

Result<void> fill(Bench& bench, PageFile& file) {
  for (PageId page = 0; page < bench.pages(); ++page) {
    if (auto written = write_page(file, page, bench.content(page)); !written) return written;
  }
  return sync(file);
}

Result<std::unique_ptr<PageFile>> filled_file(Bench& bench, const Options& options) {
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

Result<void> read_each(Bench& bench, PageFile& file, std::uint32_t depth, const Use& use) {
  depth = std::min(depth, file.geometry().depth_max);
  std::vector<Op> ops(depth);
  std::vector<Op*> reaped(depth);
  std::uint64_t started = 0;
  const auto begin = [&](Op& op) {
    if (started == bench.pages()) return;
    op = Op{.page = bench.page_at(started++), .user = bench.kernel().now_ns()};
    Op* const one[] = {&op};
    (void)file.submit(one);
  };
  for (Op& op : ops) begin(op);
  Result<void> result;
  while (const std::size_t count = file.reap(reaped, 1)) {
    const std::uint64_t now_ns = bench.kernel().now_ns();
    for (Op* const op : std::span(reaped).first(count)) {
      if (op->result != Errc::ok) {
        result = std::unexpected(error_of(file, *op));
        started = bench.pages();  // what is in flight comes back, and nothing else begins
        continue;
      }
      use(op->page, {op->frame, file.geometry().page_bytes}, now_ns - op->user);
      file.release(op->frame, 1);
      begin(*op);
    }
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
