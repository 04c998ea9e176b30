// For user-mode-linux alone, loaded in front of it (LD_PRELOAD).
//
// It restores a process's floating point registers from a buffer of its own, as large as processors
// needed when it was written. Linux wants the whole of what this processor has (PTRACE_SETREGSET,
// NT_X86_XSTATE), which is more where there is AMX, and says EFAULT otherwise. So what it does not
// know of is put back as it is.
#include <dlfcn.h>
#include <elf.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

using Ptrace = long (*)(int request, ...);

/// While it lives no signal comes in between: user-mode-linux's handlers change errno, and may go
/// on with another of its processes.
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, &before_);
  }
  ~NoSignals() { (void)sigprocmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

long set_registers(Ptrace real, int pid, const iovec& known) {
  static char whole[64 * 1024];  // AMX's are 11 KiB, and user-mode-linux's stacks hold 16
  const NoSignals no_signals;
  iovec all{whole, sizeof whole};
  if (real(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &all) < 0) return -1;
  if (known.iov_len < all.iov_len) {
    std::memcpy(whole, known.iov_base, known.iov_len);
  } else {
    all = known;
  }
  return real(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &all);
}

}  // namespace

extern "C" long ptrace(enum __ptrace_request request, ...) noexcept {
  static const Ptrace real = reinterpret_cast<Ptrace>(dlsym(RTLD_NEXT, "ptrace"));
  va_list arguments;
  va_start(arguments, request);
  const int pid = va_arg(arguments, int);
  void* const address = va_arg(arguments, void*);
  void* const data = va_arg(arguments, void*);
  va_end(arguments);
  if (request == PTRACE_SETREGSET && reinterpret_cast<std::uintptr_t>(address) == NT_X86_XSTATE) {
    return set_registers(real, pid, *static_cast<const iovec*>(data));
  }
  return real(request, pid, address, data);
}
