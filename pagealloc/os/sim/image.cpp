#include "pagealloc/os/sim/image.h"

#include <cstring>

namespace pagealloc::os::sim {

namespace {

/// FNV-1a over words: a file is short here, and what matters is that a bit makes a difference.
class Hash {
 public:
  void word(std::uint64_t value) { state_ = (state_ ^ value) * 0x100000001B3ULL ^ (state_ >> 29); }
  void bytes(const std::byte* data, std::size_t count) {
    word(count);
    for (; count >= sizeof(std::uint64_t); data += 8, count -= 8) {
      std::uint64_t value = 0;
      std::memcpy(&value, data, sizeof value);
      word(value);
    }
    for (; count > 0; ++data, --count) word(static_cast<std::uint64_t>(*data));
  }
  void text(const std::string& text) {
    bytes(reinterpret_cast<const std::byte*>(text.data()), text.size());
  }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xCBF29CE484222325ULL;
};

}  // namespace

std::uint64_t Image::hash() const {
  Hash hash;
  for (const auto& [path, file] : files) {
    hash.text(path);
    hash.word(static_cast<std::uint64_t>(file.kind));
    hash.bytes(file.bytes.data(), file.bytes.size());
    hash.text(file.target);
    for (std::size_t i = 0; i < file.allocated.size(); ++i) hash.word(file.allocated[i] ? 1 : 0);
  }
  return hash.value();
}

}  // namespace pagealloc::os::sim
