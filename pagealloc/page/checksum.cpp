#include "pagealloc/page/checksum.h"

#include <isa-l/crc.h>

#include <climits>

namespace pagealloc::page {

std::uint32_t crc32c(std::span<const std::byte> bytes) noexcept {
  // The library neither inverts nor takes a const pointer or a length above INT_MAX.
  auto* at = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data()));
  std::uint32_t crc = ~0U;
  for (std::size_t left = bytes.size(); left > 0;) {
    const int now = left > INT_MAX ? INT_MAX : static_cast<int>(left);
    crc = crc32_iscsi(at, now, crc);
    at += now;
    left -= static_cast<std::size_t>(now);
  }
  return ~crc;
}

}  // namespace pagealloc::page
