// On the simulated machine all threads of a pool are one thread of the host. One that waits for a
// lock that another of them holds while it is in the kernel would wait for ever; here it is told.
#pragma once

#include <functional>

namespace pagealloc::labs {

/// `what` is called when a thread wants a lock that it holds already.
void set_lock_trap(std::function<void()> what);

}  // namespace pagealloc::labs
