#include "pagealloc/cache/replacement.h"

namespace pagealloc::cache {

std::unique_ptr<Replacement> make_replacement(Eviction eviction, std::uint32_t frames) {
  switch (eviction) {
    case Eviction::clock:
      return make_clock(frames);
    case Eviction::lru:
      return make_lru(frames);
    case Eviction::s3_fifo:
      return make_s3_fifo(frames);
    case Eviction::two_q:
      return make_two_q(frames);
  }
  return nullptr;
}

}  // namespace pagealloc::cache
