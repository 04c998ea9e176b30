// Headers made without a line of the exercise.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "labs/07_slotted/tests/common.h"
#include "pagealloc/page/checksum.h"

namespace pagealloc::labs {

/// Any type, page and transaction.
page::Header random_header(Test& t, std::uint32_t run);
/// Writes the header and a checksum over it and all behind it.
void seal_by_hand(std::span<std::byte> run, const page::Header& header);
/// A checksum over the bytes as they stand now.
void correct_checksum(std::span<std::byte> run);
/// What somebody has computed whose checksum this is, if it is one of the usual mistakes.
std::string what_it_is_of(std::span<const std::byte> run, std::uint32_t checksum,
                          std::uint32_t page_bytes);

}  // namespace pagealloc::labs
