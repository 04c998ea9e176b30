#include "harness/caches/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "harness/workload.h"

namespace pagealloc::harness::caches {

std::string_view name_of(System system) {
  switch (system) {
    case System::pread:
      return "pread";
    case System::mmap:
      return "mmap";
    case System::direct_cached:
      return "direct_cached";
    case System::uring_cached:
      return "uring_cached";
  }
  return "unknown";
}

bool uses_kernel_cache(System system) { return system == System::pread || system == System::mmap; }

Options options_of(System system, const Scratch& file, std::uint64_t budget_bytes, Access access) {
  constexpr std::array impls = {"pread", "mmap", "direct", "uring"};
  Options options;
  options.impl = impls[static_cast<std::size_t>(system)];
  options.page_bytes = static_cast<std::uint32_t>(file.bytes() / file.pages());
  options.read_only = true;
  options.sync_at_open = false;
  options.access = access;
  options.depth = Reader::batch;
  options.frames = Reader::batch;
  options.kernel = &file.kernel();
  if (!uses_kernel_cache(system)) options.cache.bytes = budget_bytes;
  return options;
}

std::uint64_t sum_of(std::span<const std::byte> bytes) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    sum += word;
  }
  return sum;
}

namespace {

/// Of several reasons one is told: wrong bytes before all others.
void keep_worst(std::string& reason, std::string other) {
  const bool wrong = other.find(wrong_bytes_text) != std::string::npos;
  if (wrong || reason.empty()) reason = std::move(other);
}

/// Empty: it was read, and is what was written.
std::string check(const PageFile& file, const Op& op) {
  if (op.result != Errc::ok) return error_of(file, op).text();
  const std::uint32_t page_bytes = file.geometry().page_bytes;
  if (sum_of({op.frame, page_bytes}) == page_sum(op.page, page_bytes)) return {};
  return fmt::format("page {}: {}", op.page, wrong_bytes_text);
}

}  // namespace

std::string read_pages(PageFile& file, std::span<const PageId> order) {
  std::string reason;
  std::array<Op, Reader::batch> ops;
  std::array<Op*, Reader::batch> batch;
  std::array<Op*, Reader::batch> done;
  while (!order.empty() && reason.empty()) {
    const std::size_t count = std::min(order.size(), ops.size());
    for (std::size_t i = 0; i < count; ++i) {
      ops[i] = Op{.page = order[i]};
      batch[i] = &ops[i];
    }
    const std::size_t taken = file.submit({batch.data(), count});
    if (taken != count) reason = "a batch was not taken whole";
    for (std::size_t back = 0; back < taken;) {  // all of them: they live on this stack
      const std::size_t now = file.reap(done, 1);
      for (const Op* op : std::span(done).first(now)) {
        keep_worst(reason, check(file, *op));
        file.release(op->frame, 1);
      }
      back += now;
    }
    order = order.subspan(count);
  }
  return reason;
}

std::expected<Reader, std::string> Reader::open(const Scratch& file, const Options& options,
                                                std::size_t threads) {
  Reader reader(file, options);
  auto first = pagealloc::open(file.path(), options);
  if (!first) return std::unexpected(first.error().text());
  while (threads > 1 && reader.lanes_.size() < threads) {
    auto another = reader.next_stream(**first, options);
    if (!another) return std::unexpected(another.error().text());
    reader.lanes_.push_back(std::make_unique<Lane>(std::move(*another)));
  }
  if (threads == 1) reader.only_ = std::move(*first);
  return reader;
}

Reader::Lane::~Lane() {
  stop = true;
  begin.release();
}

void Reader::Lane::run() {
  for (begin.acquire(); !stop; begin.acquire()) {
    reason = read_pages(*file, order);
    done.release();
  }
}

std::expected<double, std::string> Reader::read(const std::vector<std::vector<PageId>>& orders) {
  os::Kernel& kernel = scratch_->kernel();
  const auto seconds_since = [&](std::uint64_t start_ns) {
    return static_cast<double>(kernel.now_ns() - start_ns) / 1e9;
  };
  if (only_ != nullptr) {
    const std::uint64_t start_ns = kernel.now_ns();
    const std::string reason = read_pages(*only_, orders.at(0));
    if (!reason.empty()) return std::unexpected(reason);
    return seconds_since(start_ns);
  }
  for (std::size_t i = 0; i < orders.size(); ++i) lanes_[i]->order = orders[i];
  const std::uint64_t start_ns = kernel.now_ns();
  for (std::size_t i = 0; i < orders.size(); ++i) lanes_[i]->begin.release();
  for (std::size_t i = 0; i < orders.size(); ++i) lanes_[i]->done.acquire();
  const double seconds = seconds_since(start_ns);
  std::string reason;
  for (const auto& lane : lanes_) keep_worst(reason, lane->reason);
  if (!reason.empty()) return std::unexpected(reason);
  return seconds;
}

// The kernel reads ahead for each open file by itself; our cache tells handles apart.
Result<std::unique_ptr<PageFile>> Reader::next_stream(PageFile& file, const Options& options) {
  const bool ours = options.cache.bytes != 0;
  if (ours || options.access != Access::sequential) return file.another();
  return pagealloc::open(scratch_->path(), options);
}

std::expected<std::unique_ptr<PageFile>, std::string> Reader::scanner() {
  Options options = options_;
  options.access = Access::sequential;
  auto opened = next_stream(file(), options);
  if (!opened) return std::unexpected(opened.error().text());
  return std::move(*opened);
}

std::expected<void, std::string> Reader::read_one(PageId page) {
  const auto lent = read_page(*only_, page);
  if (!lent) return std::unexpected(lent.error().text());
  if (sum_of(lent->bytes()) == page_sum(page, options_.page_bytes)) return {};
  return std::unexpected(fmt::format("page {}: {}", page, wrong_bytes_text));
}

}  // namespace pagealloc::harness::caches
