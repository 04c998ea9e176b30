#include "pagealloc/own_name.h"

#include <array>
#include <climits>
#include <cstdint>
#include <string_view>

namespace pagealloc {

std::filesystem::path own_name(os::Kernel& kernel, std::filesystem::path path) {
  constexpr int links_max = 40;  // as many as the kernel follows (path_resolution(7))
  std::array<char, PATH_MAX> target{};
  for (int link = 0; link < links_max; ++link) {
    const std::int64_t length = kernel.readlink(path.c_str(), target.data(), target.size());
    if (length <= 0) break;  // not a link
    path = path.parent_path() / std::string_view(target.data(), static_cast<std::size_t>(length));
  }
  return path;
}

}  // namespace pagealloc
