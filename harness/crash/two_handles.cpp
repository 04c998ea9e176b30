#include "harness/crash/two_handles.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace pagealloc::crash {

Result<void> TwoHandles::open(const std::string& path, const Options& options) {
  second_.reset();
  turn_ = 0;
  if (auto opened = TwoPage::open(path, options); !opened) return opened;
  auto second = file().another();
  if (!second) return std::unexpected(second.error());
  second_ = std::move(*second);
  return {};
}

Result<void> TwoHandles::commit(std::uint64_t number) {
  turn_ = number % 2;
  if (last() == 0) return TwoPage::commit(number);
  const PageId page = live().data_page;
  auto held = read_page(reader(), page);
  if (!held) return std::unexpected(held.error());
  const std::vector<std::byte> before(held->bytes().begin(), held->bytes().end());
  if (auto done = TwoPage::commit(number); !done) return done;
  if (!std::ranges::equal(held->bytes(), before)) {
    return std::unexpected(damaged(page, "its bytes changed while it was lent"));
  }
  if (auto good = held->release(); !good) return good;
  return see(number);
}

Result<void> TwoHandles::write_data(std::uint64_t number) {
  if (auto done = TwoPage::write_data(number); !done) return done;
  // Every page that is looked at pushes another one out, so what nobody pushes is tried as well.
  return number / 2 % 2 == 1 ? look_around(number) : Result<void>();
}

Result<void> TwoHandles::look_around(std::uint64_t number) {
  for (PageId page = file_pages; page < length_pages(); ++page) {
    for (PageFile* handle : {&writer(), &reader()}) {
      if (auto lent = read_page(*handle, page); !lent) return std::unexpected(lent.error());
    }
  }
  auto run = read_page(reader(), data_page_of(number), data_pages);
  if (!run) return std::unexpected(run.error());
  const auto first = header_of(run->bytes().first(page_bytes));
  if (!first || first->number != number) {
    return std::unexpected(
        damaged(run->page(), fmt::format("read as a run it is not of commit {}", number)));
  }
  return {};
}

/// Every other time from memory of the store's own, past whatever lies between; and there something
/// older still waits to be written, which must not come after it.
Result<void> TwoHandles::put_meta(PageId page, std::span<const std::byte> meta) {
  if (turn_ == 0) return TwoPage::put_meta(page, meta);
  for (const PageId older : {PageId{file_pages}, PageId{file_pages + 1}, page}) {
    if (auto done = write_page(reader(), older, {}); !done) return done;
  }
  alignas(page_bytes) std::array<std::byte, page_bytes> memory{};
  std::ranges::copy(meta, memory.begin());
  Op op{.verb = Verb::write, .page = page, .frame = memory.data()};
  Op* const batch[] = {&op};
  return carry_out(batch);
}

/// What one handle has written the other one reads.
Result<void> TwoHandles::see(std::uint64_t number) {
  auto meta = read_meta(meta_page_of(number));
  if (!meta) return std::unexpected(meta.error());
  if (!*meta || (*meta)->number != number) {
    return std::unexpected(damaged(
        meta_page_of(number), fmt::format("the other handle sees commit {} where {} was written",
                                          *meta ? (*meta)->number : 0, number)));
  }
  auto bytes = read();
  if (!bytes) return std::unexpected(bytes.error());
  if (*bytes == contents(number)) return {};
  return std::unexpected(
      damaged((*meta)->data_page,
              fmt::format("the other handle reads something else than commit {} wrote", number)));
}

}  // namespace pagealloc::crash
