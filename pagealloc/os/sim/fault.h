// What goes wrong on the simulated machine by itself, how often, and what did.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pagealloc::os::sim {

enum class Fault : std::uint8_t {
  read_error,      ///< EIO from a read
  write_error,     ///< EIO from a write past the page cache
  sync_error,      ///< EIO from a sync: a page could not be written back, and is clean now
  disk_full,       ///< ENOSPC
  interrupted,     ///< EINTR
  short_transfer,  ///< fewer bytes than asked for
  flush_error,     ///< EIO from a sync: the device could not empty its cache, which it keeps
  lying_flush,     ///< the device acknowledges a flush and has done nothing
  count
};
inline constexpr std::size_t fault_kinds = static_cast<std::size_t>(Fault::count);
inline constexpr std::array<const char*, fault_kinds> fault_names = {
    "read error",       "write error",    "sync error",  "disk full",
    "interrupted call", "short transfer", "flush error", "lying flush"};

/// Each happens once in so many times on average; 0: never.
struct FaultRates {
  std::array<std::uint32_t, fault_kinds> one_in{};
  std::uint32_t write_back_one_in = 0;  ///< how often the kernel writes a page back by itself
  bool revert_after_error = false;      ///< see Inode::fail_write_back
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
