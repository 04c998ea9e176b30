// What is on the medium: all that a machine has when it is switched on again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace pagealloc::os::sim {

inline constexpr std::uint64_t block_bytes = 4096;  ///< of the page cache and of allocation
inline constexpr std::uint64_t sector_bytes = 512;  ///< what a device writes whole
/// Blocks that so many bytes take.
constexpr std::uint64_t blocks_of(std::uint64_t bytes) {
  return (bytes + block_bytes - 1) / block_bytes;
}

enum class FileKind : std::uint8_t { regular, directory, link, fifo };

struct FileImage {
  FileKind kind = FileKind::regular;
  std::vector<std::byte> bytes;
  std::vector<bool> allocated;         ///< by block
  std::set<std::uint64_t> unreadable;  ///< blocks that the device cannot read
  std::string target;                  ///< of a symbolic link
};

struct Image {
  std::map<std::string, FileImage> files;  ///< by path
  /// Equal images have equal hashes; different ones all but surely not. Names count, too.
  std::uint64_t hash() const;
  /// Of all files together.
  std::uint64_t bytes() const;
};

}  // namespace pagealloc::os::sim
