// Giving the blocks of pages back, and getting them again before a page is written.
#include <linux/falloc.h>

#include <cerrno>

#include "labs/not_started.h"
#include "pagealloc/blocking.h"
#include "pagealloc/uninterrupted.h"

namespace pagealloc::blocking {

Outcome punch(SharedFile& file, const Op& op) noexcept {
  // Task 8.
  labs::not_started("blocking::punch", file, op);
}

Outcome fill_holes(SharedFile& file, const Op& op) noexcept {
  if (!file.sparse()) return {};
  // Task 9.
  labs::not_started("blocking::fill_holes", file, op);
}

}  // namespace pagealloc::blocking
