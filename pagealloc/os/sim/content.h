// The bytes of a file as processes see them; shared with those who map it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <vector>

namespace pagealloc::os::sim {

/// Plain memory until somebody maps the file. From then on a nameless file in the host's memory,
/// so that what is written and what is mapped are the same bytes, and touching what lies behind the
/// end is a real SIGBUS.
class Content {
 public:
  Content() = default;
  explicit Content(std::vector<std::byte> bytes) : memory_(std::move(bytes)) {}
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;
  ~Content();

  std::uint64_t bytes() const { return host_fd_ < 0 ? memory_.size() : bytes_; }
  std::span<std::byte> all();
  std::span<const std::byte> all() const;
  /// New bytes are zero.
  void resize(std::uint64_t bytes);
  /// The host's descriptor, to map; -errno when the host has no room.
  int share();

 private:
  bool cover(std::uint64_t bytes);
  std::vector<std::byte> memory_;
  int host_fd_ = -1;
  std::byte* map_ = nullptr;
  std::uint64_t map_bytes_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace pagealloc::os::sim
