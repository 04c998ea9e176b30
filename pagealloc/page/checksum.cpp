#include "pagealloc/page/checksum.h"

#include <isa-l/crc.h>

#include <climits>

namespace pagealloc::page {

namespace {

// The library's code for AVX-512 returns with the upper halves of the vector registers in use. From
// then on the processor carries them through every SSE instruction, as compiled code has them: what
// comes after a checksum took twice as long (./lab search).
#if defined(__x86_64__)
__attribute__((target("avx"))) void clear_upper_halves() noexcept { __builtin_ia32_vzeroupper(); }
void leave_vector_registers_clean() noexcept {
  static const bool has_them = __builtin_cpu_supports("avx") != 0;
  if (has_them) clear_upper_halves();
}
#else
void leave_vector_registers_clean() noexcept {}
#endif

}  // namespace

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
  leave_vector_registers_clean();
  return ~crc;
}

}  // namespace pagealloc::page
