#include "pagealloc/conformance/variant.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pagealloc/os/kernel.h"
#include "pagealloc/ways.h"

namespace pagealloc::conformance {

bool machine_offers(const Variant& variant, const std::filesystem::path& directory) {
  if (variant.simulated) return true;
  if (variant.options.impl == "uring") {
    constexpr std::uint64_t enough_bytes = 1U << 20;  // for the frames that are registered
    if (os::linux_kernel().memlock_limit_bytes() < enough_bytes) return false;
    io_uring_params params{};
    const long ring = syscall(__NR_io_uring_setup, 1, &params);
    if (ring < 0) return false;
    ::close(static_cast<int>(ring));
  }
  const bool by_default = variant.options.impl == "direct" || variant.options.impl == "uring";
  if (variant.options.direct.value_or(by_default ? Direct::require : Direct::off) == Direct::off) {
    return true;
  }
  const int fd = ::open((directory / "direct").c_str(), O_RDWR | O_CREAT | O_DIRECT, 0600);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

namespace {

std::vector<Variant> variants_on(const std::string& prefix, bool simulated) {
  std::vector<Variant> list;
  for (const Way& way : ways()) {
    list.push_back({prefix + std::string(way.name), simulated, way.options});
  }
  return list;
}

}  // namespace

std::vector<Variant> variants() { return variants_on("", false); }

std::vector<Variant> simulated_variants() { return variants_on("sim_", true); }

}  // namespace pagealloc::conformance
