// A control group that gives this process, and fio started by it, little memory: then the page
// cache cannot hold the file, however much memory the machine has.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

namespace pagealloc::harness {

class MemoryLimit {
 public:
  /// Makes the group under cgroup v1 or v2, whichever has the memory controller; nobody is in it
  /// yet. The error says why that cannot be done here.
  static std::expected<MemoryLimit, std::string> make(std::uint64_t bytes);
  MemoryLimit(MemoryLimit&& other) noexcept;
  MemoryLimit& operator=(MemoryLimit&&) = delete;
  ~MemoryLimit();

  /// Moves this process in, and out again to where it came from.
  std::expected<void, std::string> enter();
  void leave();
  /// "cgroup v1, limit 268435456 bytes".
  std::string describe() const;

 private:
  MemoryLimit() = default;
  int version_ = 0;
  std::uint64_t bytes_ = 0;
  std::string home_;   // the group the process came from
  std::string group_;  // the group made; empty: moved from
  bool inside_ = false;
};

}  // namespace pagealloc::harness
