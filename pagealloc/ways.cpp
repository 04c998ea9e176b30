#include "pagealloc/ways.h"

namespace pagealloc {

const std::vector<Way>& ways() {
  static const std::vector<Way> all = [] {
    std::vector<Way> list;
    const auto add = [&](std::string_view name, const char* impl, auto change) {
      Options options;
      options.impl = impl;
      options.depth = 8;
      options.frames = 16;
      change(options);
      list.push_back({name, options});
    };
    add("pread", "pread", [](Options&) {});
    add("pread_pool", "pread", [](Options& o) { o.threads = 4; });
    add("mmap", "mmap", [](Options&) {});
    add("mmap_map", "mmap", [](Options& o) { o.write_path = WritePath::map; });
    add("direct", "direct", [](Options&) {});
    add("uring", "uring", [](Options&) {});
    add("uring_buffered", "uring", [](Options& o) { o.direct = Direct::off; });
    // Small, so that pages come and go.
    add("direct_cached", "direct", [](Options& o) { o.cache.bytes = 128 * o.page_bytes; });
    add("uring_cached", "uring", [](Options& o) { o.cache.bytes = 128 * o.page_bytes; });
    return list;
  }();
  return all;
}

}  // namespace pagealloc
