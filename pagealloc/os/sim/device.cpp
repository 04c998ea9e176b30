#include "pagealloc/os/sim/device.h"

#include <algorithm>

namespace pagealloc::os::sim {

const std::vector<Model>& models() {
  constexpr std::uint64_t us = 1000;
  constexpr std::uint64_t ms = 1000 * us;
  constexpr std::uint64_t mb = 1'000'000;
  static const std::vector<Model> all = {
      {"hdd", 8 * ms, 100 * us, 12 * ms, 180 * mb, 1, 50},
      {"sata", 90 * us, 40 * us, 800 * us, 500 * mb, 8, 20},
      {"nvme", 75 * us, 12 * us, 120 * us, 3000 * mb, 64, 20},
      {"object", 25 * ms, 40 * ms, 0, 90 * mb, 256, 60},
  };
  return all;
}

std::optional<Model> model_of(std::string_view name) {
  for (const Model& model : models()) {
    if (model.name == name) return model;
  }
  return {};
}

std::uint64_t Device::with_jitter(std::uint64_t duration_ns) {
  return duration_ns + duration_ns * random_.below(model_.jitter_percent + 1) / 100;
}

std::uint64_t Device::done_at(Transfer transfer, std::uint64_t bytes, std::uint64_t now_ns) {
  const auto unit = std::ranges::min_element(free_at_ns_);
  const std::uint64_t latency_ns = transfer == Transfer::read ? model_.read_ns : model_.write_ns;
  const std::uint64_t transfer_ns = bytes * 1'000'000'000 / model_.bytes_per_second;
  *unit = std::max(*unit, now_ns) + with_jitter(latency_ns) + transfer_ns;
  ++(transfer == Transfer::read ? counts_.reads : counts_.writes);
  if (transfer == Transfer::read) counts_.reading_ns += *unit - now_ns;
  return *unit;
}

std::uint64_t Device::flushed_at(std::uint64_t now_ns) {
  ++counts_.flushes;
  const std::uint64_t idle_ns = std::max(now_ns, *std::ranges::max_element(free_at_ns_));
  return idle_ns + with_jitter(model_.flush_ns);
}

}  // namespace pagealloc::os::sim
