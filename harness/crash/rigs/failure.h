// What is left of a promise after the disk has refused a block.
//
// Somebody else makes the disk refuse: ask() prints what is wanted on stdout and waits for a line
// on stdin. Wanted are "fail SECTOR COUNT" (of 512 bytes each, writes of them fail from now on) and
// "heal".
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "pagealloc/options.h"

namespace pagealloc::crash::rigs {

struct Refusals {
  std::uint64_t calls = 0;
  std::uint64_t succeeded = 0;  ///< of them; must be 0
  std::string first;            ///< which one did
};

/// Writes a page whose block fails, and syncs; then, the disk in order again, writes and syncs on
/// the same handle, on one that was there before, and on one made since. Counted are the calls that
/// should have failed: clause 11 of the contract.
std::expected<Refusals, std::string> poison(const std::string& path, Options options);

/// What Linux itself does, without this library: pwrite and fsync on a block that fails. One line
/// of "name=answer" pairs.
std::expected<std::string, std::string> failed_fsync(const std::string& path);

}  // namespace pagealloc::crash::rigs
