#include "impl_pread/engine.h"

#include <fmt/format.h>

#include "pagealloc/file_on.h"

namespace pagealloc::impl_pread {

Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options) {
  if (options.direct.value_or(Direct::off) != Direct::off) {
    return std::unexpected(
        Error{.code = Errc::bad_argument,
              .path = std::string(path),
              .cause = "pread goes through the page cache; O_DIRECT is for direct, uring"});
  }
  auto shared = SharedFile::open(path, options, Direct::off);
  if (!shared) return std::unexpected(shared.error());
  blocking::advise(**shared, (*shared)->fd());
  return file_on(Engine::make(*shared));
}

Result<std::unique_ptr<IoEngine>> Engine::make(std::shared_ptr<SharedFile> shared) {
  auto engine = std::make_unique<Engine>(std::move(shared));
  const SharedFile& its = engine->shared();
  const std::uint32_t threads = its.options().threads;
  if (threads > 0) {
    // The caller is one of them, while it waits in reap().
    engine->workers_ = its.kernel().start(*engine, threads - 1);
    if (engine->workers_ == nullptr) {
      return std::unexpected(
          its.error(Errc::not_available, 0,
                    fmt::format("not available here: cannot start {} threads", threads)));
    }
  }
  return engine;
}

Result<std::unique_ptr<IoEngine>> Engine::another() noexcept { return make(share()); }

}  // namespace pagealloc::impl_pread
