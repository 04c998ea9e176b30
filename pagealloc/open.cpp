#include "pagealloc/open.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "impl_direct/engine.h"
#include "impl_mmap/engine.h"
#include "impl_pread/engine.h"
#include "impl_uring/engine.h"

namespace pagealloc {

namespace {

struct Implementation {
  std::string_view name;
  Result<std::unique_ptr<PageFile>> (*open)(std::string_view path, const Options& options);
};

constexpr std::array<Implementation, 4> table = {{{"pread", impl_pread::open},
                                                  {"mmap", impl_mmap::open},
                                                  {"direct", impl_direct::open},
                                                  {"uring", impl_uring::open}}};
constexpr std::array<std::string_view, 4> names = {table[0].name, table[1].name, table[2].name,
                                                   table[3].name};

/// The option that `options.impl` has no use for, or nullptr.
const char* useless_option(const Options& options) {
  const Options defaults;
  if (options.impl != "pread" && options.threads != defaults.threads) return "threads";
  if (options.impl != "mmap" && options.write_path != defaults.write_path) return "write_path";
  if (options.impl != "mmap" && options.map_reserve_bytes != defaults.map_reserve_bytes) {
    return "map_reserve_bytes";
  }
  if (options.impl != "uring" && options.registered_buffers != defaults.registered_buffers) {
    return "registered_buffers";
  }
  const bool kernel_caches = options.impl == "pread" || options.impl == "mmap";
  if (kernel_caches && options.cache.bytes != 0) return "cache";
  return nullptr;
}

Error bad_argument(std::string_view path, std::string cause) {
  return Error{.code = Errc::bad_argument,
               .os_error = 0,
               .path = std::string(path),
               .cause = std::move(cause)};
}

}  // namespace

Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options) {
  for (const Implementation& implementation : table) {
    if (implementation.name != options.impl) continue;
    if (const char* option = useless_option(options)) {
      return std::unexpected(bad_argument(
          path, fmt::format("the option {} means nothing to {}", option, options.impl)));
    }
    return implementation.open(path, options);
  }
  return std::unexpected(bad_argument(path, fmt::format("there is no implementation {}, only {}",
                                                        options.impl, fmt::join(names, ", "))));
}

std::span<const std::string_view> implementations() { return names; }

}  // namespace pagealloc
