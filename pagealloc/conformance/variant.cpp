#include "pagealloc/conformance/variant.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pagealloc/os/kernel.h"

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

const std::vector<Variant>& variants() {
  static const std::vector<Variant> all = [] {
    std::vector<Variant> list;
    const auto add = [&](const std::string& name, const char* impl, auto change) {
      Options options;
      options.impl = impl;
      options.depth = 8;
      options.frames = 16;
      change(options);
      list.push_back({name, false, options});
    };
    add("pread", "pread", [](Options&) {});
    add("pread_pool", "pread", [](Options& o) { o.threads = 4; });
    add("mmap", "mmap", [](Options&) {});
    add("mmap_map", "mmap", [](Options& o) { o.write_path = WritePath::map; });
    add("direct", "direct", [](Options&) {});
    add("uring", "uring", [](Options&) {});
    add("uring_buffered", "uring", [](Options& o) { o.direct = Direct::off; });
    return list;
  }();
  return all;
}

std::vector<Variant> simulated_variants() {
  std::vector<Variant> list = variants();
  for (Variant& variant : list) {
    variant.name = "sim_" + variant.name;
    variant.simulated = true;
  }
  return list;
}

}  // namespace pagealloc::conformance
