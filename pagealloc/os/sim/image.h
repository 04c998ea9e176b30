// What is on the medium: all that a machine has when it is switched on again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace pagealloc::os::sim {

enum class FileKind : std::uint8_t { regular, directory, link, fifo };

struct FileImage {
  FileKind kind = FileKind::regular;
  std::vector<std::byte> bytes;
  std::vector<bool> allocated;  ///< by block
  std::string target;           ///< of a symbolic link
};

struct Image {
  std::map<std::string, FileImage> files;  ///< by path
  /// Equal images have equal hashes; different ones all but surely not. Names count, too.
  std::uint64_t hash() const;
};

}  // namespace pagealloc::os::sim
