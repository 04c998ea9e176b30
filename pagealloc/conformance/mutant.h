// Page files that break exactly one clause of the contract, to prove that the suite would notice.
#pragma once

#include <memory>
#include <string_view>

#include "pagealloc/open.h"

namespace pagealloc::conformance {

/// The clause that PAGEALLOC_MUTANT names, 0 when none.
int mutant_from_environment();

/// open(), with the handle wrapped so that `clause` is broken; 0 opens the real thing.
Result<std::unique_ptr<PageFile>> open_mutant(std::string_view path, const Options& options,
                                              int clause);

}  // namespace pagealloc::conformance
