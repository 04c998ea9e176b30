#include "impl_mmap/engine.h"

#include <algorithm>
#include <cstring>

#include "labs/not_started.h"
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
  // Task 1.
  labs::not_started("check", path, options, refused);
}

/// How many bytes of addresses the map has: so far the file may grow, for the map never moves.
std::uint64_t reserve_bytes_of(const SharedFile& shared) {
  // Task 2.
  labs::not_started("reserve_bytes_of", shared);
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
  // Task 2.
  labs::not_started("Map::make", shared, reserve_bytes_of, advice_of);
}

Map::~Map() {
  // Task 3.
  labs::not_started("Map::~Map");
}

Result<std::unique_ptr<IoEngine>> Engine::make(std::shared_ptr<SharedFile> shared,
                                               std::shared_ptr<Map> map) {
  return std::make_unique<Engine>(std::move(shared), std::move(map));
}

Result<std::unique_ptr<IoEngine>> Engine::another() noexcept {
  // Task 4.
  labs::not_started("Engine::another");
}

// Reads are not among them: whoever has the map's base needs no transfer.
void Engine::begin(Op& op) noexcept {
  // Task 6.
  labs::not_started("Engine::begin", op);
}

std::byte* Engine::page_in_place(PageId page) noexcept {
  // Task 5.
  labs::not_started("Engine::page_in_place", page);
}

blocking::Outcome Engine::write(const Op& op) noexcept {
  // Task 6.
  labs::not_started("Engine::write", op);
}

blocking::Outcome Engine::sync() noexcept {
  // Task 7.
  labs::not_started("Engine::sync");
}

}  // namespace pagealloc::impl_mmap
