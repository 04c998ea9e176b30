// The two-page protocol with one mistake each. The driver must catch every one of them.
#pragma once

#include <span>

#include "harness/crash/store.h"

namespace pagealloc::crash {

/// The correct one, which must survive.
const StoreKind& correct();
std::span<const StoreKind> canaries();

}  // namespace pagealloc::crash
