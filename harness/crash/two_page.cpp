#include "harness/crash/two_page.h"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>

namespace pagealloc::crash {

std::vector<std::byte> TwoPage::contents(std::uint64_t number) {
  std::vector<std::byte> all(data_pages * share_bytes);
  for (std::size_t i = 0; i < all.size(); i += sizeof(std::uint64_t)) {
    const std::uint64_t word = (number << 32 | i) * 0x9E3779B97F4A7C15ULL;
    std::memcpy(all.data() + i, &word, sizeof word);
  }
  return all;
}

Error TwoPage::damaged(PageId page, std::string cause) const {
  return Error{.code = Errc::not_page_file,
               .path = path_,
               .page = page,
               .offset_bytes = page * page_bytes,
               .cause = std::move(cause)};
}

// --- Opening ------------------------------------------------------------------------------------

Result<void> TwoPage::open(const std::string& path, const Options& options) {
  path_ = path;
  options_ = prepare(options);
  options_.create = true;
  options_.page_bytes = page_bytes;
  if (auto good = reopen(); !good) return good;
  if (file_->pages() == 0) {
    if (auto grown = file_->resize(length_pages()); !grown) return grown;
    if (auto durable = sync(*file_); !durable) return durable;
  }
  if (file_->pages() != length_pages()) {
    return std::unexpected(damaged(
        0, fmt::format("the file has {} pages and not {}", file_->pages(), length_pages())));
  }
  bool both = true;
  for (const PageId page : {PageId{0}, PageId{1}}) {
    auto meta = read_meta(page);
    if (!meta) return std::unexpected(meta.error());
    both = both && *meta;
    if (*meta && (*meta)->number > live_.number) live_ = **meta;
  }
  return both ? Result<void>() : check_none_is_missing();
}

// One meta page is torn when the power goes while it is written, and then the other one is whole.
// If that has gone bad, silence would pass an older commit, or none, off for the last. But data of
// commit n is written when n - 1 is durable, and no sooner.
Result<void> TwoPage::check_none_is_missing() {
  for (PageId page = 2; page < file_pages; ++page) {
    auto header = read_header(page);
    if (!header) return std::unexpected(header.error());
    if (!*header || (*header)->number <= last() + 1) continue;
    return std::unexpected(
        damaged(page, fmt::format("of commit {}, and no meta page knows of commit {}",
                                  (*header)->number, (*header)->number - 1)));
  }
  return {};
}

Result<std::optional<TwoPage::Header>> TwoPage::read_header(PageId page) {
  auto lent = read_page(reader(), page);
  if (!lent) return std::unexpected(lent.error());
  return header_of(lent->bytes());
}

std::optional<TwoPage::Header> TwoPage::header_of(std::span<const std::byte> bytes) {
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  const auto rest = bytes.subspan(sizeof header.checksum);
  if (header.checksum != XXH3_64bits(rest.data(), rest.size())) return {};
  return header;
}

Result<void> TwoPage::reopen() {
  file_.reset();
  auto file = pagealloc::open(path_, options_);
  if (!file) return std::unexpected(file.error());
  file_ = std::move(*file);
  return {};
}

Result<std::optional<TwoPage::Meta>> TwoPage::read_meta(PageId page) {
  auto lent = read_page(reader(), page);
  if (!lent) return std::unexpected(lent.error());
  Meta meta;
  std::memcpy(&meta, lent->bytes().data(), sizeof meta);
  if (!valid(meta, page)) return std::optional<Meta>();  // torn, or never written
  return std::optional(meta);
}

bool TwoPage::valid(const Meta& meta, PageId page) const {
  return meta.number != 0 && meta.page == place_of(page) && meta.checksum == checksum_of(meta);
}

std::uint64_t TwoPage::checksum_of(const Meta& meta) {
  return XXH3_64bits(&meta, offsetof(Meta, checksum));
}

// --- Committing ---------------------------------------------------------------------------------

Result<void> TwoPage::commit(std::uint64_t number) {
  if (auto done = write_data(number); !done) return done;
  if (auto done = sync_data(); !done) return done;
  if (auto done = write_meta(number); !done) return done;
  if (auto done = sync_meta(); !done) return done;
  live_ = written_;
  return {};
}

Result<void> TwoPage::write_data(std::uint64_t number) {
  auto writes = stage_data(number);
  if (!writes) return std::unexpected(writes.error());
  std::array<Op*, data_pages> batch;
  for (std::size_t i = 0; i < data_pages; ++i) batch[i] = &(*writes)[i];
  return carry_out(batch);
}

Result<TwoPage::DataWrites> TwoPage::stage_data(std::uint64_t number) {
  const auto all = contents(number);
  DataWrites writes;
  for (std::size_t i = 0; i < data_pages; ++i) {
    Op& op = writes[i];
    op = Op{.verb = Verb::write, .page = data_page_of(number) + i};
    op.frame = writer().stage(op.page, 1);
    if (op.frame == nullptr) {
      for (std::size_t j = 0; j < i; ++j) writer().release(writes[j].frame, 1);
      op.result = Errc::no_frames;
      return std::unexpected(error_of(writer(), op));
    }
    Header header{.page = place_of(op.page), .number = number};
    std::memcpy(op.frame, &header, sizeof header);
    std::memcpy(op.frame + sizeof header, all.data() + i * share_bytes, share_bytes);
    header.checksum =
        XXH3_64bits(op.frame + sizeof header.checksum, page_bytes - sizeof header.checksum);
    std::memcpy(op.frame, &header.checksum, sizeof header.checksum);
  }
  return writes;
}

Result<void> TwoPage::carry_out(std::span<Op* const> ops) {
  std::size_t taken = writer().submit(ops);
  Op* done[1];
  for (std::size_t back = 0; back < ops.size();) {
    back += writer().reap(done, 1);
    if (taken < ops.size()) taken += writer().submit(ops.subspan(taken));
  }
  for (const Op* op : ops) {
    if (op->result != Errc::ok) return std::unexpected(error_of(writer(), *op));
  }
  return {};
}

Result<void> TwoPage::write_meta(std::uint64_t number) {
  const PageId page = meta_page_of(number);
  written_ = {.page = place_of(page), .number = number, .data_page = data_page_of(number)};
  written_.checksum = checksum_of(written_);
  return put_meta(page, std::as_bytes(std::span(&written_, 1)));
}

// --- Reading ------------------------------------------------------------------------------------

Result<std::vector<std::byte>> TwoPage::read() {
  std::vector<std::byte> all;
  if (last() == 0) return all;
  for (PageId page = live_.data_page; page < live_.data_page + data_pages; ++page) {
    if (page >= reader().pages()) {
      return std::unexpected(damaged(page, fmt::format("commit {} lies beyond the end", last())));
    }
    auto lent = read_page(reader(), page);
    if (!lent) return std::unexpected(lent.error());
    const auto bytes = lent->bytes();
    const auto header = header_of(bytes);
    if (!header) {
      return std::unexpected(
          damaged(page, fmt::format("not whole, and commit {} needs it", last())));
    }
    if (header->page != place_of(page) || header->number != last()) {
      return std::unexpected(damaged(page, fmt::format("it says that it is page {} of commit {}, "
                                                       "and commit {} needs it",
                                                       header->page, header->number, last())));
    }
    const auto share = bytes.subspan(sizeof *header);
    all.insert(all.end(), share.begin(), share.end());
  }
  return all;
}

}  // namespace pagealloc::crash
