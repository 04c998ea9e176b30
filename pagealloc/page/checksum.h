// CRC32C, the checksum of a page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace pagealloc::page {

/// CRC32C of the bytes (polynomial 0x1EDC6F41, reflected, inverted before and after: RFC 3720,
/// B.4). Finds every error of up to 32 bits in a row, so every byte that is flipped. Thread safe.
///
/// By libisal, which runs three chains of the crc32 instruction side by side; docs/format.md has
/// what it costs beside XXH3.
std::uint32_t crc32c(std::span<const std::byte> bytes) noexcept;

}  // namespace pagealloc::page
