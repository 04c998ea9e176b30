#include "impl_direct/file.h"

namespace pagealloc::impl_direct {

Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options) {
  if (options.direct == Direct::off) {
    return std::unexpected(
        Error{.code = Errc::bad_argument,
              .path = std::string(path),
              .cause = "direct means O_DIRECT; pread is the one with the page cache"});
  }
  auto shared = SharedFile::open(path, options, Direct::require);
  if (!shared) return std::unexpected(shared.error());
  auto file = File::make(*shared);
  if (file) (*shared)->keep();
  return file;
}

Result<std::unique_ptr<PageFile>> File::make(std::shared_ptr<SharedFile> shared) {
  // The arena starts on a page of the system and frames lie a page size apart, so every frame is
  // aligned to all that find_alignment() accepted.
  auto arena = FrameArena::make(shared->kernel(), shared->geometry().frames,
                                shared->geometry().page_bytes, shared->path());
  if (!arena) return std::unexpected(arena.error());
  return std::make_unique<File>(std::move(shared), std::move(*arena));
}

File::File(std::shared_ptr<SharedFile> shared, FrameArena arena)
    : Handle(std::move(shared), std::move(arena)) {}

File::~File() { drain(); }

Result<std::unique_ptr<PageFile>> File::another() noexcept { return make(share()); }

std::byte* File::frame_for(PageId, std::uint32_t run) noexcept { return arena().take(run); }

void File::read(Op& op) noexcept {
  if (lend(op)) begin(op);
}

void File::write(Op& op) noexcept { begin(op); }

// O_DIRECT passes the page cache by, not the drive's own cache: the flush is needed all the same.
void File::sync(Op& op) noexcept { begin(op); }

void File::punch(Op& op) noexcept { begin(op); }

void File::begin(Op& op) noexcept { finish(op, blocking::execute(shared(), op)); }

void File::advance(std::size_t) noexcept {}  // every operation ended in begin()

}  // namespace pagealloc::impl_direct
