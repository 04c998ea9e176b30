#include "pagealloc/slotted/overflow.h"

#include <fmt/format.h>

#include <algorithm>

namespace pagealloc::slotted {

namespace {

constexpr std::uint32_t at_bytes = 32;
constexpr std::uint32_t content_begins = 40;
constexpr std::uint64_t record_bytes_max = page::run_bytes_max - content_begins;

}  // namespace

ReferenceBytes encode(const Reference& reference) noexcept {
  ReferenceBytes bytes;
  page::store(bytes.data(), reference.page);
  page::store(bytes.data() + sizeof reference.page, reference.bytes);
  return bytes;
}

Reference decode_reference(std::span<const std::byte> bytes) noexcept {
  return {page::load<std::uint64_t>(bytes.data()),
          page::load<std::uint64_t>(bytes.data() + sizeof(PageId))};
}

std::uint64_t overflow_pages(std::uint64_t record_bytes, std::uint32_t page_bytes) noexcept {
  return record_bytes / page_bytes +
         (record_bytes % page_bytes + content_begins + page_bytes - 1) / page_bytes;
}

Result<Reference> write_overflow(page::Allocator& allocator, std::span<const std::byte> record) {
  PageFile& file = allocator.file();
  const std::uint32_t page_bytes = file.geometry().page_bytes;
  if (record.size() > record_bytes_max) {
    return std::unexpected(Error{.code = Errc::bad_argument,
                                 .path = std::string(file.path()),
                                 .cause = fmt::format("a record of {} bytes; {} are the most",
                                                      record.size(), record_bytes_max)});
  }
  const auto run = static_cast<std::uint32_t>(overflow_pages(record.size(), page_bytes));
  const auto page = allocator.allocate(run);
  if (!page) return std::unexpected(page.error());
  page::Buffer buffer(page_bytes, run);
  page::store(buffer.bytes().data() + at_bytes, std::uint64_t{record.size()});
  std::ranges::copy(record, buffer.bytes().data() + content_begins);
  const page::Header header{.type = page::Type::overflow,
                            .run = run,
                            .page = *page,
                            .transaction = allocator.transaction()};
  if (auto written = page::write(file, buffer, header); !written) {
    return std::unexpected(written.error());
  }
  return Reference{*page, record.size()};
}

Result<std::vector<std::byte>> read_overflow(PageFile& file, const Reference& reference) {
  const std::uint32_t page_bytes = file.geometry().page_bytes;
  const std::uint64_t pages = overflow_pages(reference.bytes, page_bytes);
  if (reference.bytes > record_bytes_max || reference.page >= file.pages() ||
      pages > file.pages() - reference.page) {
    return std::unexpected(
        page::error_of(file, std::min(reference.page, file.pages()),
                       {0, fmt::format("a reference to {} bytes from page {}, where nothing can be",
                                       reference.bytes, reference.page)}));
  }
  const auto run =
      page::read_run(file, reference.page, static_cast<std::uint32_t>(pages), page::Type::overflow);
  if (!run) return std::unexpected(run.error());
  const auto bytes = page::load<std::uint64_t>(run->bytes().data() + at_bytes);
  if (bytes != reference.bytes) {
    return std::unexpected(
        page::error_of(file, reference.page,
                       {at_bytes, fmt::format("a record of {} bytes, where its reference says {}",
                                              bytes, reference.bytes)}));
  }
  const auto content = run->bytes().subspan(content_begins, bytes);
  return std::vector<std::byte>(content.begin(), content.end());
}

}  // namespace pagealloc::slotted
