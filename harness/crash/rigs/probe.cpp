#include "harness/crash/rigs/probe.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "harness/crash/rigs/descriptor.h"
#include "harness/crash/rigs/trouble.h"

namespace pagealloc::crash::rigs {

namespace {

using Done = std::expected<void, std::string>;
using Answer = std::expected<std::string, std::string>;

constexpr off_t block_bytes = 4096;

std::string file_in(const std::string& directory) { return directory + "/file"; }

std::span<const std::byte> page_of(char letter) {
  alignas(block_bytes) static std::array<std::byte, block_bytes> page;
  page.fill(static_cast<std::byte>(letter));
  return page;
}

/// `blocks` blocks of "o", durable, the name too; then `change`, with the file open as `flags` say.
template <typename Change>
Done on_durable_file(const std::string& directory, int blocks, int flags, const Change& change) {
  const std::string path = file_in(directory);
  {
    const Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    const Descriptor parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!file || !parent) return trouble("{}: cannot open", path);
    for (int block = 0; block < blocks; ++block) {
      if (auto put = file.write(page_of('o'), block * block_bytes); !put) return put;
    }
    if (::fsync(file.fd()) != 0 || ::fsync(parent.fd()) != 0) return trouble("{}: fsync", path);
  }
  const Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC | flags));
  if (!file) return trouble("{}: cannot open again", path);
  return change(file);
}

Done overwrite(const std::string& directory, int flags) {
  return on_durable_file(directory, 1, flags,
                         [](const Descriptor& file) { return file.write(page_of('n'), 0); });
}

/// Stores into a map, and calls msync with these flags; 0: does not call it.
Done store(const std::string& directory, int msync_flags) {
  return on_durable_file(directory, 1, 0, [&](const Descriptor& file) -> Done {
    void* map = ::mmap(nullptr, block_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd(), 0);
    if (map == MAP_FAILED) return trouble("mmap");
    *static_cast<volatile char*>(map) = 'n';
    if (msync_flags != 0 && ::msync(map, block_bytes, msync_flags) != 0) return trouble("msync");
    if (::munmap(map, block_bytes) != 0) return trouble("munmap");
    return {};
  });
}

Done resize(const std::string& directory, int blocks, off_t bytes) {
  return on_durable_file(directory, blocks, 0, [&](const Descriptor& file) -> Done {
    if (::ftruncate(file.fd(), bytes) != 0) return trouble("ftruncate");
    return {};
  });
}

Answer content(const std::string& directory) {
  const Descriptor file(::open(file_in(directory).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return "no-name";
  if (!file) return trouble("{}: cannot open", file_in(directory));
  const auto letter = file.first_letter(0);
  if (!letter) return "no-bytes";
  return *letter == 'n' ? "new-bytes" : "old-bytes";
}

Answer size(const std::string& directory) {
  struct stat status{};
  if (::stat(file_in(directory).c_str(), &status) != 0) return trouble("{}", file_in(directory));
  return status.st_size == block_bytes ? "one-block" : "four-blocks";
}

Done create_file_synced(const std::string& directory) {
  const Descriptor file(
      ::open(file_in(directory).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file) return trouble("{}: cannot make it", file_in(directory));
  if (auto put = file.write(page_of('n'), 0); !put) return put;
  if (::fsync(file.fd()) != 0) return trouble("fsync");
  return {};
}

Done rename_unsynced(const std::string& directory) {
  return on_durable_file(directory, 1, 0, [&](const Descriptor&) -> Done {
    const std::string to = directory + "/renamed";
    if (::rename(file_in(directory).c_str(), to.c_str()) != 0) return trouble("rename");
    return {};
  });
}

Answer which_name(const std::string& directory) {
  const bool old_name = ::access(file_in(directory).c_str(), F_OK) == 0;
  const bool new_name = ::access((directory + "/renamed").c_str(), F_OK) == 0;
  if (old_name && new_name) return "both-names";
  if (!old_name && !new_name) return "no-name";
  return old_name ? "old-name" : "new-name";
}

constexpr std::array all = {
    Probe{"write", "overwritten, not synced",
          [](const std::string& directory) { return overwrite(directory, 0); }, content},
    Probe{"write-direct", "overwritten with O_DIRECT, not synced",
          [](const std::string& directory) { return overwrite(directory, O_DIRECT); }, content},
    Probe{"write-dsync", "overwritten with O_DSYNC",
          [](const std::string& directory) { return overwrite(directory, O_DSYNC); }, content},
    Probe{"store", "stored into a map, no msync",
          [](const std::string& directory) { return store(directory, 0); }, content},
    Probe{"store-async", "stored into a map, MS_ASYNC",
          [](const std::string& directory) { return store(directory, MS_ASYNC); }, content},
    Probe{"store-sync", "stored into a map, MS_SYNC",
          [](const std::string& directory) { return store(directory, MS_SYNC); }, content},
    Probe{"create", "new file, fsynced, its directory not", create_file_synced, content},
    Probe{"rename", "renamed, nothing synced", rename_unsynced, which_name},
    Probe{"grow", "grown from one block to four, not synced",
          [](const std::string& directory) { return resize(directory, 1, 4 * block_bytes); }, size},
    Probe{"shrink", "cut from four blocks to one, not synced",
          [](const std::string& directory) { return resize(directory, 4, block_bytes); }, size},
};

}  // namespace

std::span<const Probe> probes() { return all; }

}  // namespace pagealloc::crash::rigs
