#include "pagealloc/page/header.h"

#include <fmt/format.h>

#include <algorithm>

#include "pagealloc/page/checksum.h"
#include "pagealloc/page/field.h"

namespace pagealloc::page {

namespace {

constexpr std::size_t at_checksum = 0;
constexpr std::size_t at_type = 4;
constexpr std::size_t at_page = 8;
constexpr std::size_t at_transaction = 16;
constexpr std::size_t at_run = 24;

std::uint32_t computed_checksum(std::span<const std::byte> run) noexcept {
  // LAB:BEGIN 1 computed_checksum(run)
  return crc32c(run.subspan(at_checksum + sizeof(std::uint32_t)));
  // LAB:END
}

std::unexpected<Damage> damage(std::size_t offset_bytes, std::string cause) {
  return std::unexpected(Damage{offset_bytes, std::move(cause)});
}

}  // namespace

std::string_view name_of(Type type) {
  switch (type) {
    case Type::blank:
      return "blank";
    case Type::superblock:
      return "superblock";
    case Type::map:
      return "map";
    case Type::slotted:
      return "slotted";
    case Type::node:
      return "node";
    case Type::overflow:
      return "overflow";
  }
  return "unknown";
}

Header header_of(std::span<const std::byte> bytes) noexcept {
  return {.type = static_cast<Type>(bytes[at_type]),
          .run = load<std::uint32_t>(bytes.data() + at_run),
          .page = load<std::uint64_t>(bytes.data() + at_page),
          .transaction = load<std::uint64_t>(bytes.data() + at_transaction)};
}

std::uint32_t checksum_of(std::span<const std::byte> bytes) noexcept {
  return load<std::uint32_t>(bytes.data() + at_checksum);
}

bool is_blank(std::span<const std::byte> bytes) noexcept {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

void seal(std::span<std::byte> run, const Header& header) noexcept {
  // LAB:BEGIN 1 seal(run, header, computed_checksum)
  std::fill_n(run.data(), header_bytes, std::byte{0});
  run[at_type] = static_cast<std::byte>(header.type);
  store(run.data() + at_page, header.page);
  store(run.data() + at_transaction, header.transaction);
  store(run.data() + at_run, header.run);
  store(run.data() + at_checksum, computed_checksum(run));
  // LAB:END
}

std::expected<Header, Damage> check(std::span<const std::byte> run, PageId page,
                                    std::uint32_t page_bytes) {
  // LAB:BEGIN 2 check(run, page, page_bytes, computed_checksum, damage)
  const std::uint32_t stored = checksum_of(run);
  const std::uint32_t computed = computed_checksum(run);
  if (stored != computed) {
    if (is_blank(run)) return damage(0, "blank: never written, or punched");
    return damage(at_checksum,
                  fmt::format("checksum {:08x}, but the bytes make {:08x}", stored, computed));
  }
  const Header header = header_of(run);
  if (header.page != page) {
    return damage(at_page, fmt::format("these are the bytes of page {}", header.page));
  }
  // What carries a good checksum and still makes no sense was sealed by something else.
  if (header.run != run.size() / page_bytes) {
    return damage(at_run, fmt::format("a run of {} pages, where {} are expected", header.run,
                                      run.size() / page_bytes));
  }
  for (const std::size_t zero : {5U, 6U, 7U, 28U, 29U, 30U, 31U}) {
    if (run[zero] != std::byte{0}) return damage(zero, "a byte that is to be 0 is not");
  }
  return header;
  // LAB:END
}

}  // namespace pagealloc::page
