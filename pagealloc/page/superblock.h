// What a structured file says of itself, in its first four pages.
//
// A superblock is written twice, to pages 0 and 1 or to pages 2 and 3, and the next commit's to the
// other two. So a commit that is torn by a power cut has touched nothing of the one before it, and
// one copy that goes bad loses nothing: it has a twin. Two pages that take turns, as LMDB's do,
// cannot tell a copy that has gone bad from a commit that was never finished, and silently go back
// to the commit before it. One pair that is written one after the other needs a third sync.
//
//   offset  bytes
//       32      8  magic: 89 50 47 46 0d 0a 1a 0a, which a transfer as text would change
//       40      4  0a0b0c0d, to tell a file that was written in another byte order
//       44      4  format version
//       48      4  bytes of a page
//       52      4  0
//       56      8  features; a reader that does not know one of them refuses the file
//       64     16  identity, random
//       80      8  commit: the transaction that this is the state after
//       88      8  pages of the file
//       96      8  root of the free map
//      104      4  its checksum
//      108      4  levels of the free map
//      112      8  pages in use, these four and the map's among them
//      120     64  roots: eight numbers for what is stored in the file
//      184     64  for encryption; 0 without
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "pagealloc/page/header.h"

namespace pagealloc::page {

inline constexpr std::uint32_t format_version = 1;
inline constexpr std::uint64_t superblocks = 4;

/// Pages are encrypted: behind the header, 24 bytes of nonce and 16 of tag come before the content
/// (docs/format.md, "Encryption"). Nothing here can read them yet; what they look like is settled.
inline constexpr std::uint64_t feature_encrypted = 1;
inline constexpr std::uint64_t features_known = 0;

using Identity = std::array<std::byte, 16>;
using Roots = std::array<std::uint64_t, 8>;

struct Superblock {
  std::uint32_t page_bytes = 4096;
  std::uint64_t features = 0;
  Identity identity = {};
  std::uint64_t commit = 0;
  std::uint64_t pages = 0;
  PageId map_root = 0;
  std::uint32_t map_checksum = 0;
  std::uint32_t map_levels = 0;
  std::uint64_t used_pages = 0;
  Roots roots = {};

  friend bool operator==(const Superblock&, const Superblock&) = default;
};

/// Fills `bytes`, one page, to be written as page 0 ... 3, and seals it. Thread safe.
void encode(std::span<std::byte> bytes, PageId page, const Superblock& superblock) noexcept;

/// Reads one copy, from a file that was opened with pages of bytes.size(). The damage of a file of
/// another version, byte order or page size says so. Thread safe.
std::expected<Superblock, Damage> decode(std::span<const std::byte> bytes, PageId page);

/// What a file says that begins with these bytes, at least 512 and of any page size, if they are a
/// superblock's. Nothing has been checked. Thread safe.
std::optional<std::uint32_t> page_bytes_of(std::span<const std::byte> bytes) noexcept;

}  // namespace pagealloc::page
