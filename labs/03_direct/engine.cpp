#include "impl_direct/engine.h"

#include "labs/not_started.h"
#include "pagealloc/file_on.h"

namespace pagealloc::impl_direct {

namespace {

std::unexpected<Error> refused(std::string_view path, std::string cause) {
  return std::unexpected(
      Error{.code = Errc::bad_argument, .path = std::string(path), .cause = std::move(cause)});
}

}  // namespace

Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options) {
  // Task 1.
  labs::not_started("impl_direct::open", path, options, refused);
}

Result<std::unique_ptr<IoEngine>> Engine::make(std::shared_ptr<SharedFile> shared) {
  return std::make_unique<Engine>(std::move(shared));
}

Result<std::unique_ptr<IoEngine>> Engine::another() noexcept { return make(share()); }

void Engine::begin(Op& op) noexcept {
  // Task 6.
  labs::not_started("Engine::begin", op);
}

}  // namespace pagealloc::impl_direct
