#include "pagealloc/conformance/allocation_counter.h"

#include <atomic>
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNT_THROUGH_SANITIZER 1
#endif

namespace pagealloc::conformance {
namespace {
std::atomic<std::uint64_t> count{0};
constinit thread_local unsigned uncounted = 0;

void note() {
  if (uncounted == 0) ++count;
}
}  // namespace

Uncounted::Uncounted() { ++uncounted; }
Uncounted::~Uncounted() { --uncounted; }

std::uint64_t allocations() {
#ifdef COUNT_THROUGH_SANITIZER
  extern void install_sanitizer_hook();
  install_sanitizer_hook();
#endif
  return count.load();
}
}  // namespace pagealloc::conformance

#ifdef COUNT_THROUGH_SANITIZER

// The sanitizers own malloc and offer a hook instead (sanitizer/allocator_interface.h).
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*,
                                                                           std::size_t),
                                                         void (*on_free)(const volatile void*));

namespace pagealloc::conformance {
void install_sanitizer_hook() {
  static const int installed = __sanitizer_install_malloc_and_free_hooks(
      [](const volatile void*, std::size_t) { note(); }, [](const volatile void*) {});
  (void)installed;
}
}  // namespace pagealloc::conformance

#else

// glibc lets a program bring its own malloc (malloc(3) "replacing malloc"); these pass on to
// glibc's, under the names it keeps for that. Shared libraries, liburing too, come here.
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier): the names are glibc's
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t members, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
// NOLINTEND(bugprone-reserved-identifier)

void* malloc(std::size_t bytes) {
  pagealloc::conformance::note();
  return __libc_malloc(bytes);
}
void* calloc(std::size_t members, std::size_t bytes) {
  pagealloc::conformance::note();
  return __libc_calloc(members, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  pagealloc::conformance::note();
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  pagealloc::conformance::note();
  return __libc_memalign(alignment, bytes);
}
}

#endif
