// An engine that ends operations in any order, as io_uring's does.
//
// It stands in that one's place, because the ring is written later, in lab 05: a cache must be
// right on every engine that keeps to io_engine.h, whoever has written it. A file that is opened
// with impl "uring" has it, in all programs that any_order.cpp is linked into.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pagealloc/page_file.h"

namespace pagealloc::labs {

/// Options::impl of such a file.
inline constexpr const char* any_order = "uring";
/// What messages call the engine of a file of this impl.
inline std::string engine_of(const std::string& impl) {
  return impl == any_order ? "the any-order engine" : impl;
}

/// From now on the orders are those of this seed.
void order_from(std::uint64_t seed);

/// An operation was begun, or has ended. Between the two it is under way.
struct Note {
  bool begun;
  Verb verb;
  PageId page;
};
/// From now on all engines of this kind add to `notes`; nullptr: nothing is noted.
void note_in(std::vector<Note>* notes);

}  // namespace pagealloc::labs
