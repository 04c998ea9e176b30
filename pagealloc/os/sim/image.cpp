#include "pagealloc/os/sim/image.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace pagealloc::os::sim {

std::uint64_t Image::hash() const {
  std::uint64_t hash = 0;
  const auto add = [&](const void* data, std::size_t bytes) {
    hash = XXH3_64bits_withSeed(data, bytes, hash);
  };
  const auto word = [&](std::uint64_t value) { add(&value, sizeof value); };
  for (const auto& [path, file] : files) {
    add(path.data(), path.size());
    word(static_cast<std::uint64_t>(file.kind));
    add(file.target.data(), file.target.size());
    add(file.bytes.data(), file.bytes.size());
    std::uint64_t blocks = 0;
    for (std::size_t i = 0; i < file.allocated.size(); ++i) {
      blocks = blocks << 1 | (file.allocated[i] ? 1U : 0U);
      if (i % 64 == 63) word(blocks);
    }
    word(blocks);
    for (const std::uint64_t block : file.unreadable) word(block);
  }
  return hash;
}

std::uint64_t Image::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [path, file] : files) sum += file.bytes.size();
  return sum;
}

}  // namespace pagealloc::os::sim
