#include "pagealloc/page/superblock.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "pagealloc/options.h"
#include "pagealloc/page/field.h"

namespace pagealloc::page {

namespace {

constexpr std::size_t at_magic = 32;
constexpr std::size_t at_byte_order = 40;
constexpr std::size_t at_version = 44;
constexpr std::size_t at_page_bytes = 48;
constexpr std::size_t at_zero = 52;
constexpr std::size_t at_features = 56;
constexpr std::size_t at_identity = 64;
constexpr std::size_t at_commit = 80;
constexpr std::size_t at_pages = 88;
constexpr std::size_t at_map_root = 96;
constexpr std::size_t at_map_checksum = 104;
constexpr std::size_t at_map_levels = 108;
constexpr std::size_t at_used_pages = 112;
constexpr std::size_t at_roots = 120;
constexpr std::size_t at_encryption = 184;

constexpr std::array<std::uint8_t, 8> magic = {0x89, 'P', 'G', 'F', '\r', '\n', 0x1a, '\n'};
constexpr std::uint64_t commit_max = UINT64_MAX - 2;  // so that one more can be counted
constexpr std::uint32_t byte_order = 0x0a0b0c0d;

bool has_magic(std::span<const std::byte> bytes) noexcept {
  return std::ranges::equal(std::as_bytes(std::span(magic)), bytes.subspan(at_magic, magic.size()));
}

bool is_page_size(std::uint32_t bytes) noexcept {
  return bytes >= page_bytes_min && bytes <= page_bytes_max && std::has_single_bit(bytes);
}

/// Why this is not a superblock that this program could read. In every version the header and the
/// fields up to the page size are as they are here, so that what is said of them can be relied upon
/// when the checksum is good, and is damage when it is not.
std::optional<Damage> foreign(std::span<const std::byte> bytes, bool whole) {
  const std::byte* const at = bytes.data();
  if (!has_magic(bytes)) {
    return Damage{at_magic, "no superblock: the magic number is not there", Errc::not_page_file};
  }
  const Errc other = whole ? Errc::not_available : Errc::damaged;
  const auto order = load<std::uint32_t>(at + at_byte_order);
  if (order != byte_order) {
    const bool swapped = order == std::byteswap(byte_order);
    return Damage{at_byte_order,
                  swapped ? "written in the other byte order"
                          : fmt::format("byte order {:08x}, which is none", order),
                  other};
  }
  const auto version = load<std::uint32_t>(at + at_version);
  if (version != format_version) {
    return Damage{
        at_version,
        fmt::format("format version {}, and only {} is known here", version, format_version),
        other};
  }
  return {};
}

/// The checksum is over all of a page, and a page of another size has another one.
std::optional<Damage> other_page_size(std::span<const std::byte> bytes, PageId page) {
  const auto stated = page_bytes_of(bytes);
  if (!stated || *stated == bytes.size()) return {};
  if (*stated < bytes.size() && !check(bytes.first(*stated), page, *stated)) return {};
  return Damage{
      at_page_bytes,
      fmt::format("a file of pages of {} bytes, opened with pages of {}", *stated, bytes.size()),
      Errc::bad_argument};
}

}  // namespace

void encode(std::span<std::byte> bytes, PageId page, const Superblock& superblock) noexcept {
  std::ranges::fill(bytes, std::byte{0});
  std::byte* const at = bytes.data();
  std::ranges::copy(std::as_bytes(std::span(magic)), at + at_magic);
  store(at + at_byte_order, byte_order);
  store(at + at_version, format_version);
  store(at + at_page_bytes, superblock.page_bytes);
  store(at + at_features, superblock.features);
  std::ranges::copy(superblock.identity, at + at_identity);
  store(at + at_commit, superblock.commit);
  store(at + at_pages, superblock.pages);
  store(at + at_map_root, superblock.map_root);
  store(at + at_map_checksum, superblock.map_checksum);
  store(at + at_map_levels, superblock.map_levels);
  store(at + at_used_pages, superblock.used_pages);
  for (std::size_t i = 0; i < superblock.roots.size(); ++i) {
    store(at + at_roots + i * sizeof(std::uint64_t), superblock.roots[i]);
  }
  seal(bytes, {.type = Type::superblock, .page = page, .transaction = superblock.commit});
}

std::expected<Superblock, Damage> decode(std::span<const std::byte> bytes, PageId page) {
  const auto page_bytes = static_cast<std::uint32_t>(bytes.size());
  const auto header = check(bytes, page, page_bytes);
  if (auto other = other_page_size(bytes, page)) return std::unexpected(std::move(*other));
  if (auto wrong = foreign(bytes, header.has_value())) {
    if (!header && wrong->code == Errc::damaged) wrong->cause += "; " + header.error().cause;
    return std::unexpected(std::move(*wrong));
  }
  if (!header) return std::unexpected(header.error());
  if (header->type != Type::superblock) return std::unexpected(Damage{4, "not a superblock"});
  const std::byte* const at = bytes.data();
  Superblock superblock{.page_bytes = page_bytes,
                        .features = load<std::uint64_t>(at + at_features),
                        .commit = load<std::uint64_t>(at + at_commit),
                        .pages = load<std::uint64_t>(at + at_pages),
                        .map_root = load<std::uint64_t>(at + at_map_root),
                        .map_checksum = load<std::uint32_t>(at + at_map_checksum),
                        .map_levels = load<std::uint32_t>(at + at_map_levels),
                        .used_pages = load<std::uint64_t>(at + at_used_pages)};
  if (const std::uint64_t unknown = superblock.features & ~features_known; unknown != 0) {
    const bool encrypted = unknown == feature_encrypted;
    return std::unexpected(Damage{at_features,
                                  encrypted
                                      ? "encrypted, which is not to be read here yet"
                                      : fmt::format("features {:#x} are not known here", unknown),
                                  Errc::not_available});
  }
  if (header->transaction != superblock.commit || superblock.commit > commit_max) {
    return std::unexpected(Damage{at_commit, fmt::format("commit {} in a page of transaction {}",
                                                         superblock.commit, header->transaction)});
  }
  for (const auto& [begin, end] :
       {std::pair{at_zero, at_features}, {at_encryption, bytes.size()}}) {
    if (is_blank(bytes.subspan(begin, end - begin))) continue;
    return std::unexpected(Damage{begin, "bytes that are to be 0 are not"});
  }
  std::ranges::copy(bytes.subspan(at_identity, superblock.identity.size()),
                    superblock.identity.begin());
  for (std::size_t i = 0; i < superblock.roots.size(); ++i) {
    superblock.roots[i] = load<std::uint64_t>(at + at_roots + i * sizeof(std::uint64_t));
  }
  return superblock;
}

std::optional<std::uint32_t> page_bytes_of(std::span<const std::byte> bytes) noexcept {
  if (!has_magic(bytes)) return {};
  const auto page_bytes = load<std::uint32_t>(bytes.data() + at_page_bytes);
  if (!is_page_size(page_bytes)) return {};
  return page_bytes;
}

}  // namespace pagealloc::page
