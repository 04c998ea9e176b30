#include "pagealloc/page/header.h"

#include <fmt/format.h>

#include <algorithm>

#include "labs/not_started.h"
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
  // Task 1.
  labs::not_started("computed_checksum", run);
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
  // Task 1.
  labs::not_started("seal", run, header, computed_checksum);
}

std::expected<Header, Damage> check(std::span<const std::byte> run, PageId page,
                                    std::uint32_t page_bytes) {
  // Task 2.
  labs::not_started("check", run, page, page_bytes, computed_checksum, damage);
}

}  // namespace pagealloc::page
