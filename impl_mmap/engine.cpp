#include "impl_mmap/engine.h"

#include <algorithm>
#include <cstring>

#include "pagealloc/file_on.h"
#include "pagealloc/uninterrupted.h"

namespace pagealloc::impl_mmap {

Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options) {
  if (options.write_through && options.write_path == WritePath::map) {
    return std::unexpected(Error{.code = Errc::bad_argument,
                                 .path = std::string(path),
                                 .cause = "a writable map cannot write through: O_DSYNC is about "
                                          "write calls, and stores into a map make none"});
  }
  if (options.direct.value_or(Direct::off) != Direct::off) {
    return std::unexpected(
        Error{.code = Errc::bad_argument,
              .path = std::string(path),
              .cause = "mmap goes through the page cache; O_DIRECT is for direct, uring"});
  }
  auto shared = SharedFile::open(path, options, Direct::off);
  if (!shared) return std::unexpected(shared.error());
  auto map = Map::make(**shared);
  if (!map) return std::unexpected(map.error());
  return file_on(Engine::make(*shared, std::move(*map)));
}

Result<std::shared_ptr<Map>> Map::make(SharedFile& shared) {
  const Options& options = shared.options();
  constexpr std::uint64_t reserve_default_bytes = 64ULL << 30;
  const std::uint64_t reserve = options.map_reserve_bytes != 0
                                    ? std::max(options.map_reserve_bytes, shared.bytes())
                                    : std::max(reserve_default_bytes, 2 * shared.bytes());
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
  int advice = MADV_NORMAL;
  if (options.access == Access::random) advice = MADV_RANDOM;
  if (options.access == Access::sequential) advice = MADV_SEQUENTIAL;
  if (const int result = kernel.madvise(map->base_, reserve, advice); result < 0) {
    return std::unexpected(
        shared.error(Errc::not_available, -result, "not available here: cannot advise the map"));
  }
  shared.limit(reserve);
  shared.note_map(map->base_);
  return map;
}

Map::~Map() {
  os::Kernel& kernel = shared_.kernel();
  shared_.note_map(nullptr);
  kernel.unguard(base_);
  [[maybe_unused]] const int result = kernel.munmap(base_, bytes_);
  assert(result == 0);
}

Result<std::unique_ptr<IoEngine>> Engine::make(std::shared_ptr<SharedFile> shared,
                                               std::shared_ptr<Map> map) {
  return std::make_unique<Engine>(std::move(shared), std::move(map));
}

Result<std::unique_ptr<IoEngine>> Engine::another() noexcept { return make(share(), map_); }

// Reads are not among them: whoever has the map's base needs no transfer.
void Engine::begin(Op& op) noexcept {
  const bool stores = shared().options().write_path == WritePath::map;
  if (stores && op.verb == Verb::write) return end(op, write(op));
  if (stores && op.verb == Verb::sync && shared().bytes() > 0) return end(op, sync());
  end(op, blocking::execute(shared(), op));
}

// On the map path the page itself is lent for writing, unless it may be a hole: a store into a
// hole of a full disk would be a SIGBUS, where a write can still say "disk full". Nor when the file
// has failed: the write will be refused, and by then the stores would be in the file.
std::byte* Engine::page_in_place(PageId page) noexcept {
  const bool in_place = shared().options().write_path == WritePath::map && !shared().sparse() &&
                        !shared().geometry().read_only && shared().failed() == Errc::ok;
  return in_place ? address_of(page) : nullptr;
}

blocking::Outcome Engine::write(const Op& op) noexcept {
  if (op.frame == address_of(op.page)) return {};  // the stores were the write
  if (const auto filled = blocking::fill_holes(shared(), op); filled.result != Errc::ok) {
    return filled;
  }
  std::memcpy(address_of(op.page), op.frame, shared().bytes_of(op));
  const Errc state = shared().failed();  // the copy may have run into the end of the file
  return {state == Errc::poisoned ? Errc::ok : state, 0};
}

// msync over the whole file: the kernel finds the dirty pages by itself, and asking per page would
// flush the drive once for each. It is fdatasync for mapped stores (msync(2)).
blocking::Outcome Engine::sync() noexcept {
  const int result = shared().sync_group().run([&] {
    return uninterrupted(
        [&] { return shared().kernel().msync(map_->base(), shared().bytes(), MS_SYNC); });
  });
  return result < 0 ? blocking::Outcome{Errc::io, -result} : blocking::Outcome{};
}

}  // namespace pagealloc::impl_mmap
