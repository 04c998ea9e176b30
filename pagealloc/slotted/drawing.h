// A page in text: what inspect prints, and what a failing test shows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pagealloc/slotted/layout.h"

namespace pagealloc::slotted {

/// The page to scale: rows of characters, each for as many bytes, with what the letters mean. Lines
/// without their ends.
std::vector<std::string> draw(const Layout& layout);
/// Its fields, with their offsets: "  32  2  slots  5".
std::vector<std::string> list_fields(const Layout& layout);
/// Its slots and where their records lie, with what they begin with.
std::vector<std::string> list_slots(const Layout& layout, std::span<const std::byte> run);
/// All bytes, 16 a line, with the name of what begins there. Equal lines of zeros are told once.
std::vector<std::string> dump(const Layout& layout, std::span<const std::byte> run);

/// Two pages beside each other, "expected" and "found", drawn and with their fields and slots;
/// where lines differ there is a mark between them. Of long lists only what differs, and not all of
/// that. For messages of tests.
std::string side_by_side(std::span<const std::byte> expected, std::span<const std::byte> found,
                         PageId page);

}  // namespace pagealloc::slotted
