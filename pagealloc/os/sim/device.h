// How long a disk takes: latency, operations it does side by side, and what a flush costs.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "pagealloc/os/sim/random.h"

namespace pagealloc::os::sim {

/// A device. Figures are round ones of its class, not of a product.
struct Model {
  std::string_view name;
  std::uint64_t read_ns;           ///< one read of nothing, the device idle
  std::uint64_t write_ns;          ///< one write into its cache
  std::uint64_t flush_ns;          ///< emptying that cache
  std::uint64_t bytes_per_second;  ///< of one operation's transfer
  unsigned units;                  ///< operations it does at the same time; more wait
  unsigned jitter_percent;         ///< an operation takes up to so much longer
};

/// hdd, sata, nvme, object.
const std::vector<Model>& models();
std::optional<Model> model_of(std::string_view name);

enum class Transfer : std::uint8_t { read, write };

/// What a device has been given so far. Subtract two to learn what happened in between.
struct DeviceCounts {
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t flushes = 0;
  /// Of all reads, from when each was given to the device until it is done. Over a stretch of time
  /// in which all of them end, this by its length is the mean number in flight (Little's law).
  std::uint64_t reading_ns = 0;
};

/// When operations end. Not thread safe.
class Device {
 public:
  Device(const Model& model, Random& random)
      : model_(model), random_(random), free_at_ns_(model.units) {}

  const Model& model() const { return model_; }
  /// When an operation that is given to the device at `now_ns` is done. Times of calls must not
  /// decrease: the first free unit takes what comes first.
  std::uint64_t done_at(Transfer transfer, std::uint64_t bytes, std::uint64_t now_ns);
  /// When a flush is done, which begins after all that was given to the device before.
  std::uint64_t flushed_at(std::uint64_t now_ns);
  const DeviceCounts& counts() const { return counts_; }

 private:
  std::uint64_t with_jitter(std::uint64_t duration_ns);
  Model model_;
  Random& random_;
  std::vector<std::uint64_t> free_at_ns_;  // by unit
  DeviceCounts counts_;
};

}  // namespace pagealloc::os::sim
