// What every page of a structured file begins with: who it is, and a checksum over all of it.
//
//   offset  bytes
//        0      4  CRC32C of everything behind it, to the end of the run
//        4      1  type
//        5      3  0
//        8      8  the number of this page
//       16      8  the transaction that wrote it
//       24      4  pages of the run that begins here
//       28      4  0
//
// The page's own number is under the checksum, so a page that was written to another one's place is
// found as surely as a flipped bit. Numbers are little-endian. docs/format.md draws it.
//
// Only the first page of a run has a header. The others are content from their first byte to their
// last, so that a long record lies in one piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "pagealloc/error.h"

namespace pagealloc::page {

inline constexpr std::uint32_t header_bytes = 32;
/// No run is longer: one operation of a page file moves as much.
inline constexpr std::uint64_t run_bytes_max = 1ULL << 30;

enum class Type : std::uint8_t {
  blank = 0,  ///< all zeros: never written, or punched
  superblock = 1,
  map = 2,  ///< of the allocator
  slotted = 3,
  node = 4,
  overflow = 5,
};
/// "slotted"; "unknown" for what is none of them. Thread safe.
std::string_view name_of(Type type);

struct Header {
  Type type = Type::blank;
  std::uint32_t run = 1;  ///< pages
  PageId page = 0;
  std::uint64_t transaction = 0;
};

/// What is wrong with a page, and where in it.
struct Damage {
  std::uint64_t offset_bytes = 0;  ///< from the beginning of the page
  std::string cause = {};
  Errc code = Errc::damaged;  ///< or what it is instead: of another version, no such file at all
};

/// Writes the header into the first bytes of a run of pages, and its checksum. Precondition:
/// run.size() is header.run pages. Thread safe.
void seal(std::span<std::byte> run, const Header& header) noexcept;

/// The header as it stands, checked by nobody. Precondition: header_bytes are there. Thread safe.
Header header_of(std::span<const std::byte> bytes) noexcept;

/// The checksum as it stands. Precondition: header_bytes are there. Thread safe.
std::uint32_t checksum_of(std::span<const std::byte> bytes) noexcept;

/// Are these the bytes that were sealed as `page`? A blank page is damage too, and said to be one.
/// Never reads outside `run`, whatever its bytes are. Precondition: run.size() is a multiple of
/// page_bytes and not 0; the run that the header speaks of must be all of it. Thread safe.
std::expected<Header, Damage> check(std::span<const std::byte> run, PageId page,
                                    std::uint32_t page_bytes);

/// All zeros? Thread safe.
bool is_blank(std::span<const std::byte> bytes) noexcept;

}  // namespace pagealloc::page
