// The two-page protocol with one mistake each. The driver must catch every one of them.
#pragma once

#include <span>

#include "harness/crash/store.h"

namespace pagealloc::crash {

/// The correct ones, which must survive: on one handle, and on two.
const StoreKind& correct();
const StoreKind& correct_on_two_handles();
/// Of another kind: pages that are allocated and freed.
const StoreKind& correct_allocator();
std::span<const StoreKind> canaries();

}  // namespace pagealloc::crash
