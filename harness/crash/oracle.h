// Oracles (a) and (b): does a store that is opened again hold what it must, and nothing else?
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "harness/crash/store.h"

namespace pagealloc::crash {

/// What a store may know after it has come back.
struct Bounds {
  std::uint64_t acknowledged = 0;  ///< commits up to this one must be there
  std::uint64_t submitted = 0;     ///< none after this one can be
};

struct Wrong {
  char oracle;  ///< 'a': another commit than may be; 'b': not the bytes that it wrote
  std::string found;
  bool served;  ///< it answered as if nothing were wrong; else it said that something is
};

/// Opens a store of this kind and reads what the last commit wrote. Nothing when all is as it must
/// be.
std::optional<Wrong> look(const StoreKind& kind, Store& store, const std::string& path,
                          const Options& options, const Bounds& bounds);

}  // namespace pagealloc::crash
