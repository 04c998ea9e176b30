// Numbers in a page: little-endian, wherever they lie.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>

namespace pagealloc::page {

/// Reads a T at `at`, which need not be aligned. Precondition: sizeof(T) bytes are there.
template <std::unsigned_integral T>
T load(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  return value;
}

template <std::unsigned_integral T>
void store(std::byte* at, T value) noexcept {
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  std::memcpy(at, &value, sizeof value);
}

}  // namespace pagealloc::page
