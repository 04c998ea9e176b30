// A store that says what the test tells it to, and notes what it is asked for. It has no file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/crash/oracle.h"
#include "harness/crash/store.h"

namespace pagealloc::labs {

struct Script {
  bool opens = true;
  std::uint64_t last = 0;
  std::optional<std::vector<std::byte>> bytes = std::vector<std::byte>();  ///< nullopt: an error
  std::uint64_t fails_at = 0;  ///< this commit does; 0: none

  const crash::Bounds* bounds = nullptr;  ///< of the life that the store is in
  std::uint64_t opened = 0;               ///< how often
  std::vector<std::uint64_t> asked = {};  ///< commit() was called for these
  std::vector<crash::Bounds> seen = {};   ///< what the bounds were then
};
/// Of the stores that are made from now on, and of those there are.
Script& script();
/// What comes back with commit `last`, all its bytes right.
Script holding(std::uint64_t last);
crash::StoreKind scripted();

/// One line: "open() succeeds, last() is 3, read() gives 8144 bytes".
std::string text_of(const Script& script);
std::string text_of(const std::optional<crash::Wrong>& wrong);
std::string text_of(const crash::Bounds& bounds);

}  // namespace pagealloc::labs
