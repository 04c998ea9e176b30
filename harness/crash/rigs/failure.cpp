#include "harness/crash/rigs/failure.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <vector>

#include "harness/crash/rigs/descriptor.h"
#include "harness/crash/rigs/trouble.h"
#include "pagealloc/open.h"

namespace pagealloc::crash::rigs {

namespace {

constexpr std::uint64_t block_bytes = 4096;
constexpr std::uint64_t failing_page = 2;
constexpr std::uint64_t pages = 4;

std::expected<void, std::string> ask(const std::string& wish) {
  fmt::print("{}\n", wish);
  if (std::fflush(stdout) != 0) return trouble("stdout");
  std::string answer;
  if (!std::getline(std::cin, answer)) return std::unexpected("nobody answers: " + wish);
  return {};
}

/// Asks for failing writes where `page` of the file lies on the disk.
std::expected<void, std::string> fail_block_of(const std::string& path, std::uint64_t page) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return trouble("{}: cannot open", path);
  // A header and, behind it, room for one extent.
  alignas(fiemap) std::array<std::byte, sizeof(fiemap) + sizeof(fiemap_extent)> request{};
  fiemap map{};
  map.fm_start = page * block_bytes;
  map.fm_length = block_bytes;
  map.fm_flags = FIEMAP_FLAG_SYNC;
  map.fm_extent_count = 1;
  std::memcpy(request.data(), &map, sizeof map);
  if (::ioctl(file.fd(), FS_IOC_FIEMAP, request.data()) != 0) return trouble("{}: FIEMAP", path);
  std::memcpy(&map, request.data(), sizeof map);
  if (map.fm_mapped_extents != 1) {
    return std::unexpected(fmt::format("{}: page {} has no block", path, page));
  }
  fiemap_extent extent{};
  std::memcpy(&extent, request.data() + sizeof map, sizeof extent);
  const std::uint64_t place = extent.fe_physical + (page * block_bytes - extent.fe_logical);
  constexpr std::uint64_t sector_bytes = 512;
  return ask(fmt::format("fail {} {}", place / sector_bytes, block_bytes / sector_bytes));
}

using Page = std::array<std::byte, block_bytes>;

Page filled(char letter) {
  Page page;
  page.fill(static_cast<std::byte>(letter));
  return page;
}

/// Refused for that reason, or it counts as a success: another error may be a chance.
void count(Refusals& refusals, const Result<void>& result, std::string what,
           Errc reason = Errc::poisoned) {
  ++refusals.calls;
  const bool refused = !result && result.error().code == reason;
  if (!refused && ++refusals.succeeded == 1) refusals.first = std::move(what);
}

std::string text_of(int result) { return result == 0 ? "ok" : describe(errno); }

}  // namespace

std::expected<Refusals, std::string> poison(const std::string& path, Options options) {
  options.create = true;
  auto file = pagealloc::open(path, options);
  if (!file) return std::unexpected(file.error().text());
  if (auto grown = (*file)->resize(pages); !grown) return std::unexpected(grown.error().text());
  for (PageId page = 0; page < pages; ++page) {
    if (auto written = write_page(**file, page, filled('o')); !written) {
      return std::unexpected(written.error().text());
    }
  }
  if (auto synced = sync(**file); !synced) return std::unexpected(synced.error().text());
  auto before = (*file)->another();
  if (!before) return std::unexpected(before.error().text());

  if (auto done = fail_block_of(path, failing_page); !done) return std::unexpected(done.error());
  auto reported = write_page(**file, failing_page, filled('n'));
  if (reported) reported = sync(**file);
  Refusals refusals;
  count(refusals, reported, "the failing write and its sync", Errc::io);
  if (auto done = ask("heal"); !done) return std::unexpected(done.error());

  auto since = (*file)->another();
  if (!since) return std::unexpected(since.error().text());
  const std::array<std::pair<const char*, PageFile*>, 3> handles = {
      {{"the same handle", file->get()},
       {"a handle from before", before->get()},
       {"a handle made since", since->get()}}};
  for (const auto& [name, handle] : handles) {
    count(refusals, write_page(*handle, 3, filled('x')), fmt::format("a write on {}", name));
    count(refusals, sync(*handle), fmt::format("a sync on {}", name));
    count(refusals, write_page(*handle, failing_page, filled('x')),
          fmt::format("the same write again on {}", name));
    count(refusals, sync(*handle), fmt::format("a second sync on {}", name));
  }
  return refusals;
}

std::expected<std::string, std::string> failed_fsync(const std::string& path) {
  const int flags = O_RDWR | O_CREAT | O_CLOEXEC;
  const Descriptor writer(::open(path.c_str(), flags, 0644));
  const Descriptor before(::open(path.c_str(), flags, 0644));
  if (!writer || !before) return trouble("{}: cannot open", path);
  constexpr off_t place = failing_page * block_bytes;
  for (std::uint64_t page = 0; page < pages; ++page) {
    if (auto put = writer.write(filled('o'), static_cast<off_t>(page * block_bytes)); !put) {
      return std::unexpected(put.error());
    }
  }
  if (::fsync(writer.fd()) != 0) return trouble("{}: fsync of what is to be old", path);

  if (auto done = fail_block_of(path, failing_page); !done) return std::unexpected(done.error());
  if (auto put = writer.write(filled('n'), place); !put) return std::unexpected(put.error());
  std::string found = fmt::format("first-fsync={}", text_of(::fsync(writer.fd())));
  found += fmt::format(" second-fsync={}", text_of(::fsync(writer.fd())));
  found += fmt::format(" fsync-on-a-descriptor-from-before={}", text_of(::fsync(before.fd())));
  const Descriptor since(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!since) return trouble("{}: cannot open again", path);
  found += fmt::format(" fsync-on-a-descriptor-opened-since={}", text_of(::fsync(since.fd())));
  const auto cached = writer.first_letter(place);
  if (!cached) return std::unexpected(cached.error());
  found += fmt::format(" read-before-eviction={}", *cached == 'n' ? "new" : "old");

  if (auto done = ask("heal"); !done) return std::unexpected(done.error());
  found += fmt::format(" fsync-on-the-healed-disk={}", text_of(::fsync(writer.fd())));
  // Evicts clean pages alone: that the old bytes come back says that the page was clean.
  if (const int error = ::posix_fadvise(writer.fd(), 0, 0, POSIX_FADV_DONTNEED); error != 0) {
    errno = error;
    return trouble("{}: fadvise", path);
  }
  const auto evicted = writer.first_letter(place);
  if (!evicted) return std::unexpected(evicted.error());
  return found + fmt::format(" read-after-eviction={}", *evicted == 'n' ? "new" : "old");
}

}  // namespace pagealloc::crash::rigs
