#include "pagealloc/cache/background.h"

namespace pagealloc::cache {

Result<std::unique_ptr<Background>> Background::make(Cache& cache, std::unique_ptr<IoEngine> engine,
                                                     std::uint32_t low) {
  SharedFile& shared = engine->shared();
  std::unique_ptr<Background> background(new Background(cache, std::move(engine), low));
  background->workers_ = shared.kernel().start(*background, 1);
  if (background->workers_ != nullptr) return background;
  return std::unexpected(shared.error(Errc::not_available, 0,
                                      "not available here: cannot start a thread to write back"));
}

// One request: batches, between which others may have the turn, until few are left.
void Background::step() noexcept {
  constexpr std::size_t batch_pages = 256;
  asked_.store(false, std::memory_order_release);  // first: who asks from now on is heard
  while (cache_.dirty() > low_) write_back_.run(batch_pages);
}

}  // namespace pagealloc::cache
