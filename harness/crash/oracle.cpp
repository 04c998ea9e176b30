#include "harness/crash/oracle.h"

#include <fmt/format.h>

namespace pagealloc::crash {

std::optional<Wrong> look(const StoreKind& kind, Store& store, const std::string& path,
                          const Options& options, const Bounds& bounds) {
  if (auto opened = store.open(path, options); !opened) {
    return Wrong{'a', opened.error().text(), false};
  }
  const std::uint64_t last = store.last();
  if (last < bounds.acknowledged || last > bounds.submitted) {
    return Wrong{'a', fmt::format("recovered commit {}", last), true};
  }
  const auto bytes = store.read();
  if (!bytes) return Wrong{'b', bytes.error().text(), false};
  if (*bytes == (last == 0 ? std::vector<std::byte>() : kind.contents(last))) return {};
  return Wrong{
      'b', fmt::format("commit {} never wrote the {} bytes that were read", last, bytes->size()),
      true};
}

}  // namespace pagealloc::crash
