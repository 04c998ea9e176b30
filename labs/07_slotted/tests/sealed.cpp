#include "labs/07_slotted/tests/sealed.h"

#include <algorithm>

#include "pagealloc/page/field.h"

namespace pagealloc::labs {

page::Header random_header(Test& t, std::uint32_t run) {
  constexpr page::Type types[] = {page::Type::map, page::Type::slotted, page::Type::node,
                                  page::Type::overflow};
  return {.type = types[t.random().below(std::size(types))],
          .run = run,
          .page = 1 + (t.random().next() >> 1),
          .transaction = 1 + (t.random().next() >> 1)};
}

void seal_by_hand(std::span<std::byte> run, const page::Header& header) {
  std::fill_n(run.data(), page::header_bytes, std::byte{0});
  run[4] = static_cast<std::byte>(header.type);
  page::store(run.data() + 8, header.page);
  page::store(run.data() + 16, header.transaction);
  page::store(run.data() + 24, header.run);
  correct_checksum(run);
}

void correct_checksum(std::span<std::byte> run) {
  page::store(run.data(), page::crc32c(run.subspan(4)));
}

std::string what_it_is_of(std::span<const std::byte> run, std::uint32_t checksum,
                          std::uint32_t page_bytes) {
  std::vector<std::byte> bytes = copy_of(run);
  if (page::crc32c(std::span(bytes).subspan(page::header_bytes)) == checksum) {
    return "that of the content alone";
  }
  if (page::crc32c(std::span(bytes).first(page_bytes).subspan(4)) == checksum) {
    return "that of the first page of the run alone";
  }
  std::fill_n(bytes.data(), 4, std::byte{0});
  if (page::crc32c(bytes) == checksum) return "that of all bytes, with its own as 0";
  std::ranges::copy(run, bytes.begin());
  std::fill_n(bytes.data() + 8, 8, std::byte{0});
  if (page::crc32c(std::span(bytes).subspan(4)) == checksum) {
    return "that of a page whose number is 0";
  }
  std::fill_n(bytes.data() + 8, 20, std::byte{0});
  if (page::crc32c(std::span(bytes).subspan(4)) == checksum) {
    return "that of a header whose page, transaction and run are still 0";
  }
  return "of none of the usual ranges";
}

}  // namespace pagealloc::labs
