#include "harness/memory_limit.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace pagealloc::harness {

namespace {

/// Writes `text` to a control file; the kernel's answer comes with the flush.
std::expected<void, std::string> put(const std::string& path, const std::string& text) {
  errno = 0;
  std::ofstream file(path);
  file << text << std::flush;
  if (file.good()) return {};
  return std::unexpected(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
}

struct Hierarchy {
  int version = 0;
  std::string root;  // where it is mounted
  std::string home;  // the group this process is in
};

/// The hierarchy that has the memory controller.
Hierarchy find_hierarchy() {
  Hierarchy found;
  std::ifstream mounts("/proc/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string source, point, type, options;
    words >> source >> point >> type >> options;
    if (type == "cgroup" && ("," + options + ",").find(",memory,") != std::string::npos) {
      found = {1, point, ""};
    }
    const bool controls = [&] {
      std::ifstream file(point + "/cgroup.controllers");
      std::string names;
      std::getline(file, names);
      return (" " + names + " ").find(" memory ") != std::string::npos;
    }();
    if (type == "cgroup2" && found.version == 0 && controls) found = {2, point, ""};
  }
  std::ifstream groups("/proc/self/cgroup");  // "4:memory:/path" (v1), "0::/path" (v2)
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool ours =
        found.version == 1 ? names.find(",memory,") != std::string::npos : line.starts_with("0::");
    if (ours) found.home = found.root + line.substr(second + 1);
  }
  return found;
}

}  // namespace

std::expected<MemoryLimit, std::string> MemoryLimit::make(std::uint64_t bytes) {
  const Hierarchy hierarchy = find_hierarchy();
  if (hierarchy.version == 0) {
    return std::unexpected(std::string("no control groups with a memory controller are mounted"));
  }
  MemoryLimit limit;
  limit.version_ = hierarchy.version;
  limit.bytes_ = bytes;
  limit.home_ = hierarchy.home;
  const std::string group = fmt::format("{}/pagealloc-{}", hierarchy.root, getpid());
  std::error_code error;
  std::filesystem::create_directory(group, error);
  if (error) {
    return std::unexpected(
        fmt::format("cannot make the control group {}: {} (needs root)", group, error.message()));
  }
  limit.group_ = group;
  const char* file = hierarchy.version == 1 ? "memory.limit_in_bytes" : "memory.max";
  if (auto good = put(group + "/" + file, std::to_string(bytes)); !good) {
    return std::unexpected(good.error());
  }
  return limit;
}

MemoryLimit::MemoryLimit(MemoryLimit&& other) noexcept
    : version_(other.version_),
      bytes_(other.bytes_),
      home_(std::move(other.home_)),
      group_(std::exchange(other.group_, {})),
      inside_(std::exchange(other.inside_, false)) {}

MemoryLimit::~MemoryLimit() {
  if (group_.empty()) return;
  leave();
  // Pages of the file that are still charged to the group would keep it alive.
  if (version_ == 1) (void)put(group_ + "/memory.force_empty", "0");
  std::error_code error;
  std::filesystem::remove(group_, error);
}

std::expected<void, std::string> MemoryLimit::enter() {
  auto moved = put(group_ + "/cgroup.procs", std::to_string(getpid()));
  inside_ = moved.has_value();
  return moved;
}

void MemoryLimit::leave() {
  if (std::exchange(inside_, false)) (void)put(home_ + "/cgroup.procs", std::to_string(getpid()));
}

std::string MemoryLimit::describe() const {
  return fmt::format("cgroup v{}, limit {} bytes", version_, bytes_);
}

}  // namespace pagealloc::harness
