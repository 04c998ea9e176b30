// What a stranger does to files behind the back of those who have them open: by other means than
// the code under test, and on whichever kernel it runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pagealloc/os/kernel.h"
#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::conformance {

/// Every failure ends the test that asked (GoogleTest's ADD_FAILURE).
class Files {
 public:
  /// `sim`: nullptr on Linux; else `kernel` is it.
  Files(os::Kernel& kernel, os::sim::SimKernel* sim) : kernel_(kernel), sim_(sim) {}

  /// A regular file of these bytes, whatever was there before.
  void put(const std::string& path, std::string_view bytes);
  std::vector<std::byte> read(const std::string& path, std::uint64_t offset, std::size_t bytes);
  void resize(const std::string& path, std::uint64_t bytes);
  void fallocate(const std::string& path, int mode, std::uint64_t offset, std::uint64_t bytes);
  std::uint64_t size(const std::string& path);
  bool exists(const std::string& path);
  bool is_link(const std::string& path);
  void make_directory(const std::string& path);
  void make_link(const std::string& target, const std::string& path);
  void make_fifo(const std::string& path);
  /// A file, an empty directory, a link or a FIFO.
  void remove(const std::string& path);

 private:
  int open(const std::string& path, int flags);
  bool check(std::int64_t result, std::string_view what, const std::string& path);
  os::Kernel& kernel_;
  os::sim::SimKernel* sim_;
};

}  // namespace pagealloc::conformance
