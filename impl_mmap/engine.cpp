#include "impl_mmap/engine.h"

#include <algorithm>
#include <cstring>

#include "pagealloc/file_on.h"
#include "pagealloc/uninterrupted.h"

namespace pagealloc::impl_mmap {

namespace {

std::unexpected<Error> refused(std::string_view path, std::string cause) {
  return std::unexpected(
      Error{.code = Errc::bad_argument, .path = std::string(path), .cause = std::move(cause)});
}

/// Refuses what a map cannot keep. No system call.
Result<void> check(std::string_view path, const Options& options) {
  // LAB:BEGIN 1 check(path, options, refused)
  if (options.write_through && options.write_path == WritePath::map) {
    return refused(path,
                   "a writable map cannot write through: O_DSYNC is about write calls, and stores "
                   "into a map make none");
  }
  if (options.direct.value_or(Direct::off) != Direct::off) {
    return refused(path, "mmap goes through the page cache; O_DIRECT is for direct, uring");
  }
  return {};
  // LAB:END
}

/// How many bytes of addresses the map has: so far the file may grow, for the map never moves.
std::uint64_t reserve_bytes_of(const SharedFile& shared) {
  // LAB:BEGIN 2 reserve_bytes_of(shared)
  constexpr std::uint64_t reserve_default_bytes = 64ULL << 30;
  const std::uint64_t asked_bytes = shared.options().map_reserve_bytes;
  if (asked_bytes != 0) return std::max(asked_bytes, shared.bytes());
  return std::max(reserve_default_bytes, 2 * shared.bytes());
  // LAB:END
}

/// madvise's word for how the file will be read.
int advice_of(Access access) {
  if (access == Access::random) return MADV_RANDOM;
  return access == Access::sequential ? MADV_SEQUENTIAL : MADV_NORMAL;
}

}  // namespace

Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options) {
  if (auto good = check(path, options); !good) return std::unexpected(good.error());
  auto shared = SharedFile::open(path, options, Direct::off);
  if (!shared) return std::unexpected(shared.error());
  auto map = Map::make(**shared);
  if (!map) return std::unexpected(map.error());
  return file_on(Engine::make(*shared, std::move(*map)));
}

Result<std::shared_ptr<Map>> Map::make(SharedFile& shared) {
  // LAB:BEGIN 2 Map::make(shared, reserve_bytes_of, advice_of)
  const Options& options = shared.options();
  const std::uint64_t reserve = reserve_bytes_of(shared);
  const bool writable = options.write_path == WritePath::map && !options.read_only;
  os::Kernel& kernel = shared.kernel();
  const auto address = kernel.mmap(nullptr, reserve, PROT_READ | (writable ? PROT_WRITE : 0),
                                   MAP_SHARED | MAP_NORESERVE, shared.fd(), 0);
  if (!address) {
    return std::unexpected(
        shared.error(Errc::not_available, -address.error(), "not available here: cannot map it"));
  }
  std::shared_ptr<Map> map(new Map(shared, static_cast<std::byte*>(*address), reserve));
  if (const int result = kernel.guard(map->base_, reserve, &shared.map_faults()); result < 0) {
    return std::unexpected(shared.error(Errc::not_available, -result,
                                        "not available here: too many mapped files are open"));
  }
  const int advice = advice_of(options.access);
  if (const int result = kernel.madvise(map->base_, reserve, advice); result < 0) {
    return std::unexpected(
        shared.error(Errc::not_available, -result, "not available here: cannot advise the map"));
  }
  shared.limit(reserve);
  shared.note_map(map->base_);
  return map;
  // LAB:END
}

Map::~Map() {
  // LAB:BEGIN 3 Map::~Map()
  os::Kernel& kernel = shared_.kernel();
  shared_.note_map(nullptr);
  kernel.unguard(base_);
  [[maybe_unused]] const int result = kernel.munmap(base_, bytes_);
  assert(result == 0);
  // LAB:END
}

Result<std::unique_ptr<IoEngine>> Engine::make(std::shared_ptr<SharedFile> shared,
                                               std::shared_ptr<Map> map) {
  return std::make_unique<Engine>(std::move(shared), std::move(map));
}

Result<std::unique_ptr<IoEngine>> Engine::another() noexcept {
  // LAB:BEGIN 4 Engine::another()
  return make(share(), map_);
  // LAB:END
}

// Reads are not among them: whoever has the map's base needs no transfer.
void Engine::begin(Op& op) noexcept {
  // LAB:BEGIN 6 Engine::begin(op)
  const bool stores = shared().options().write_path == WritePath::map;
  if (stores && op.verb == Verb::write) return end(op, write(op));
  if (stores && op.verb == Verb::sync && shared().bytes() > 0) return end(op, sync());
  end(op, blocking::execute(shared(), op));
  // LAB:END
}

std::byte* Engine::page_in_place(PageId page) noexcept {
  // LAB:BEGIN 5 Engine::page_in_place(page)
  // On the map path the page itself is lent for writing, unless it may be a hole: a store into a
  // hole of a full disk would be a SIGBUS, where a write can still say "disk full". Nor when the
  // file has failed: the write will be refused, and by then the stores would be in the file.
  const bool in_place = shared().options().write_path == WritePath::map && !shared().sparse() &&
                        !shared().geometry().read_only && shared().failed() == Errc::ok;
  return in_place ? address_of(page) : nullptr;
  // LAB:END
}

blocking::Outcome Engine::write(const Op& op) noexcept {
  // LAB:BEGIN 6 Engine::write(op)
  if (op.frame == address_of(op.page)) return {};  // the stores were the write
  if (const auto filled = blocking::fill_holes(shared(), op); filled.result != Errc::ok) {
    return filled;
  }
  std::memcpy(address_of(op.page), op.frame, shared().bytes_of(op));
  const Errc state = shared().failed();  // the copy may have run into the end of the file
  return {state == Errc::poisoned ? Errc::ok : state, 0};
  // LAB:END
}

blocking::Outcome Engine::sync() noexcept {
  // LAB:BEGIN 7 Engine::sync()
  // msync over the whole file: the kernel finds the dirty pages by itself, and asking per page
  // would flush the drive once for each. It is fdatasync for mapped stores (msync(2)).
  const int result = shared().sync_group().run([&] {
    return uninterrupted(
        [&] { return shared().kernel().msync(map_->base(), shared().bytes(), MS_SYNC); });
  });
  return result < 0 ? blocking::Outcome{Errc::io, -result} : blocking::Outcome{};
  // LAB:END
}

}  // namespace pagealloc::impl_mmap
