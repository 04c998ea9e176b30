#include "harness/crash/two_page.h"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace pagealloc::crash {

std::vector<std::byte> contents(std::uint64_t number, std::size_t bytes) {
  std::vector<std::byte> all(bytes);
  for (std::size_t i = 0; i + sizeof(std::uint64_t) <= bytes; i += sizeof(std::uint64_t)) {
    const std::uint64_t word = (number << 32 | i) * 0x9E3779B97F4A7C15ULL;
    std::memcpy(all.data() + i, &word, sizeof word);
  }
  return all;
}

Error TwoPage::damaged(PageId page, std::string cause) const {
  return Error{.code = Errc::not_page_file, .path = path_, .page = page, .cause = std::move(cause)};
}

Result<void> TwoPage::open(const std::string& path, const Options& options) {
  path_ = path;
  options_ = prepare(options);
  options_.create = true;
  if (auto good = reopen(); !good) return good;
  if (file_->pages() == 0) {
    if (auto grown = file_->resize(4); !grown) return grown;
    if (auto durable = sync(*file_); !durable) return durable;
  }
  if (file_->pages() != 4) return std::unexpected(damaged(0, "it has not four pages"));
  for (const PageId page : {PageId{0}, PageId{1}}) {
    auto meta = read_meta(page);
    if (!meta) return std::unexpected(meta.error());
    if (*meta && (*meta)->number > last_) {
      live_ = **meta;
      last_ = live_.number;
    }
  }
  return {};
}

Result<void> TwoPage::reopen() {
  file_.reset();
  auto file = pagealloc::open(path_, options_);
  if (!file) return std::unexpected(file.error());
  file_ = std::move(*file);
  return {};
}

Result<std::optional<TwoPage::Meta>> TwoPage::read_meta(PageId page) {
  auto lent = read_page(*file_, page);
  if (!lent) return std::unexpected(lent.error());
  Meta meta;
  std::memcpy(&meta, lent->bytes().data(), sizeof meta);
  if (!valid(meta, page)) return std::optional<Meta>();  // torn, or never written
  return std::optional(meta);
}

bool TwoPage::valid(const Meta& meta, PageId page) const {
  return meta.number != 0 && meta.page == page && meta.checksum == checksum_of(meta);
}

std::uint64_t TwoPage::checksum_of(const Meta& meta) const {
  return XXH3_64bits(&meta, offsetof(Meta, checksum));
}

Result<void> TwoPage::commit(std::uint64_t number) {
  if (auto done = write_data(number); !done) return done;
  if (auto done = sync_data(); !done) return done;
  if (auto done = write_meta(number); !done) return done;
  if (auto done = sync_meta(); !done) return done;
  last_ = number;
  return {};
}

Result<void> TwoPage::write_data(std::uint64_t number) {
  const auto bytes = contents(number, file_->geometry().page_bytes);
  note_data(bytes);
  return write_page(*file_, data_page_of(number), bytes);
}

void TwoPage::note_data(std::span<const std::byte> bytes) {
  data_checksum_ = XXH3_64bits(bytes.data(), bytes.size());
}

Result<void> TwoPage::write_meta(std::uint64_t number) {
  live_ = {.page = meta_page_of(number),
           .number = number,
           .data_page = data_page_of(number),
           .data_checksum = data_checksum_};
  live_.checksum = checksum_of(live_);
  return write_page(*file_, live_.page, std::as_bytes(std::span(&live_, 1)));
}

Result<void> TwoPage::check() {
  if (last_ == 0) return {};
  if (live_.data_page >= file_->pages()) {
    return std::unexpected(damaged(live_.page, "it points beyond the end"));
  }
  auto lent = read_page(*file_, live_.data_page);
  if (!lent) return std::unexpected(lent.error());
  const auto bytes = lent->bytes();
  if (XXH3_64bits(bytes.data(), bytes.size()) != live_.data_checksum) {
    return std::unexpected(
        damaged(live_.data_page, fmt::format("commit {} is there and its data is not", last_)));
  }
  if (!std::ranges::equal(bytes, contents(last_, bytes.size()))) {
    return std::unexpected(
        damaged(live_.data_page, fmt::format("commit {} never wrote this", last_)));
  }
  return {};
}

}  // namespace pagealloc::crash
