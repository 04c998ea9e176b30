// For user-mode-linux alone, loaded in front of it (LD_PRELOAD).
//
// It restores a process's floating point registers from a buffer of its own, as large as processors
// needed when it was written. Linux wants the whole of what this processor has (PTRACE_SETREGSET,
// NT_X86_XSTATE), which is more where there is AMX, and says EFAULT otherwise. So what it does not
// know of is put back as it is.
#include <dlfcn.h>
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstring>

namespace {

using Ptrace = long (*)(int request, ...);

constexpr std::size_t xstate_bytes_max = 64 * 1024;

long set_whole(Ptrace real, int pid, const iovec& known) {
  alignas(64) static char whole[xstate_bytes_max];  // user-mode-linux has one thread that does this
  iovec all{whole, sizeof whole};
  const long got = real(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &all);
  if (got < 0 || known.iov_len > all.iov_len) return got < 0 ? got : (errno = EFAULT, -1);
  std::memcpy(whole, known.iov_base, known.iov_len);
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
  const long result = real(request, pid, address, data);
  const bool short_buffer = result < 0 && errno == EFAULT && request == PTRACE_SETREGSET &&
                            reinterpret_cast<std::size_t>(address) == NT_X86_XSTATE;
  return short_buffer ? set_whole(real, pid, *static_cast<const iovec*>(data)) : result;
}
