#include "impl_direct/engine.h"

#include "pagealloc/file_on.h"

namespace pagealloc::impl_direct {

namespace {

std::unexpected<Error> refused(std::string_view path, std::string cause) {
  return std::unexpected(
      Error{.code = Errc::bad_argument, .path = std::string(path), .cause = std::move(cause)});
}

}  // namespace

Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options) {
  // LAB:BEGIN 1 impl_direct::open(path, options, refused)
  if (options.direct == Direct::off) {
    return refused(path, "direct means O_DIRECT; pread is the one with the page cache");
  }
  auto shared = SharedFile::open(path, options, Direct::require);
  if (!shared) return std::unexpected(shared.error());
  return file_on(Engine::make(*shared));
  // LAB:END
}

Result<std::unique_ptr<IoEngine>> Engine::make(std::shared_ptr<SharedFile> shared) {
  return std::make_unique<Engine>(std::move(shared));
}

Result<std::unique_ptr<IoEngine>> Engine::another() noexcept { return make(share()); }

void Engine::begin(Op& op) noexcept {
  // LAB:BEGIN 6 Engine::begin(op)
  // O_DIRECT passes the page cache by, not the drive's own cache: a sync is needed all the same.
  end(op, blocking::execute(shared(), op));
  // LAB:END
}

}  // namespace pagealloc::impl_direct
