// What goes wrong on the simulated machine by itself, how often, and what did.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pagealloc::os::sim {

enum class Fault : std::uint8_t {
  read_error,      ///< EIO from a read
  write_error,     ///< EIO from a write past the page cache
  sync_error,      ///< a page could not be written back, and is clean now; a sync says EIO
  disk_full,       ///< ENOSPC
  interrupted,     ///< EINTR
  short_transfer,  ///< fewer bytes than asked for
  flush_error,     ///< EIO from a sync: the device could not empty its cache; it keeps it, or not
  lying_flush,     ///< the device acknowledges a flush and has done nothing
  lost_write,      ///< it acknowledges a write and writes nothing
  misdirected,     ///< it writes it to the neighbouring block
  rot,             ///< a bit of the medium changes, once
  unreadable,      ///< a block of the medium cannot be read until it is written again
  count
};
inline constexpr std::size_t fault_kinds = static_cast<std::size_t>(Fault::count);
inline constexpr std::array<const char*, fault_kinds> fault_names = {
    "read error",       "write error",    "sync error",  "disk full",
    "interrupted call", "short transfer", "flush error", "lying flush",
    "lost write",       "misdirected",    "rot",         "unreadable"};

/// Each happens once in so many times on average; 0: never.
struct FaultRates {
  std::array<std::uint32_t, fault_kinds> one_in{};
  std::uint32_t write_back_one_in = 0;  ///< how often the kernel writes a page back by itself
  bool revert_after_error = false;      ///< see Inode::fail_write_back
  /// A short write answers as if it were whole: what a program sees that does not look.
  bool short_looks_whole = false;
  std::uint32_t& operator[](Fault fault) { return one_in[static_cast<std::size_t>(fault)]; }
  std::uint32_t operator[](Fault fault) const { return one_in[static_cast<std::size_t>(fault)]; }
};

/// How often each happened: a fault that never fires tests nothing.
struct FaultLog {
  std::array<std::uint64_t, fault_kinds> count{};
  std::uint64_t write_backs = 0;
  std::uint64_t& operator[](Fault fault) { return count[static_cast<std::size_t>(fault)]; }
  std::uint64_t operator[](Fault fault) const { return count[static_cast<std::size_t>(fault)]; }
};

}  // namespace pagealloc::os::sim
