// What is claimed, what was counted, and which lie it is when the two do not fit.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pagealloc::labs::measure {

/// Each is a count that is less than its claim needs. More than that is no lie.
enum class Lie : std::uint8_t {
  sparse_file,       ///< what is read was never written
  warm_called_cold,  ///< it is read from memory, and a read of the device was claimed
  no_sync,           ///< what counts as durable is not: syncs * writes_per_sync < pages
  dead_read,         ///< what is read is not used
  mean_of_two,       ///< one number for two kinds of operation
  unequal_depth,     ///< one side has less than four fifths of the other's operations in flight
};

/// What a benchmark says of itself.
struct Claim {
  bool reads = false;     ///< every byte of every page was read, and used
  bool cold = false;      ///< and each page was read from the device
  bool durable = false;   ///< a page that counts as done survives a power cut
  bool duration = false;  ///< how long an operation takes
  bool compares = false;  ///< two sides, and which is faster
};

/// What was counted between start() and stop(). Without a value: nobody has counted it, which is
/// something else than 0. Of two sides the smaller number, where nothing else is said.
struct Counts {
  std::uint64_t pages = 0;                          ///< that the claim is about
  std::optional<std::uint64_t> pages_written = {};  ///< hold at start() what was to be written
  std::optional<std::uint64_t> device_reads = {};   ///< reads that the device had to do
  std::optional<std::uint64_t> syncs = {};          ///< that emptied the device's cache
  std::uint64_t writes_per_sync = 0;                ///< as the report says; 0: of no write
  std::optional<std::uint64_t> pages_summed = {};   ///< whose bytes are in the report's sum
  std::optional<std::uint64_t> kinds = {};   ///< of reads: 2 where some asked the device, some not
  std::optional<std::uint64_t> groups = {};  ///< of latencies, in the report
  std::optional<std::uint64_t> in_flight = {};       ///< in the device, on average, rounded
  std::optional<std::uint64_t> in_flight_most = {};  ///< the same, of the side that has more
};

/// The counts that a finding can name.
enum class Count : std::uint8_t {
  device_reads,
  groups,
  in_flight,
  pages_summed,
  pages_written,
  syncs
};

struct Finding {
  Lie lie;
  Count count;          ///< the one that shows it
  std::uint64_t found;  ///< what was counted
  /// What it would be if the claim were true. Of in_flight: either what is counted for the other
  /// side or the 32 that it keeps begun.
  std::uint64_t honest;
};

inline constexpr std::array<std::string_view, 6> lie_names = {
    "sparse_file", "warm_called_cold", "no_sync", "dead_read", "mean_of_two", "unequal_depth"};
inline constexpr std::array<std::string_view, 6> count_names = {
    "device_reads", "groups", "in_flight", "pages_summed", "pages_written", "syncs"};
constexpr std::string_view name_of(Lie lie) { return lie_names[static_cast<std::size_t>(lie)]; }
constexpr std::string_view name_of(Count count) {
  return count_names[static_cast<std::size_t>(count)];
}

}  // namespace pagealloc::labs::measure
