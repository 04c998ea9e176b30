#include "pagealloc/plain_file.h"

namespace pagealloc {

Result<std::unique_ptr<PageFile>> PlainFile::make(std::unique_ptr<IoEngine> engine) {
  const SharedFile& shared = engine->shared();
  // The arena starts on a page of the system and frames lie a page size apart, so every frame is
  // aligned to all that SharedFile accepted for O_DIRECT.
  auto arena = FrameArena::make(shared.kernel(), shared.geometry().frames,
                                shared.geometry().page_bytes, shared.path());
  if (!arena) return std::unexpected(arena.error());
  const iovec memory{arena->memory().data(), arena->memory().size()};
  if (auto good = engine->prepare({&memory, 1}); !good) return std::unexpected(good.error());
  return std::make_unique<PlainFile>(std::move(*arena), std::move(engine));
}

PlainFile::PlainFile(FrameArena arena, std::unique_ptr<IoEngine> engine)
    : Handle(engine->share(), std::move(arena)), engine_(std::move(engine)) {
  geometry_.base = engine_->base();
}

Result<std::unique_ptr<PageFile>> PlainFile::another() noexcept {
  auto engine = engine_->another();
  if (!engine) return std::unexpected(engine.error());
  return make(std::move(*engine));
}

// Of a map: no copy and no call. The first touch faults, and the kernel reads. What can be started
// early is the way from memory to the processor: with eight warm pages offered at once, asking for
// their first lines takes a page from 570 to 370 ns. An address that is not mapped yet is ignored
// by it.
void PlainFile::read(Op& op) noexcept {
  if (geometry_.base == nullptr) {
    if (lend(op)) begin(op);
    return;
  }
  constexpr std::size_t line_bytes = 64;
  constexpr std::size_t lines = 4;
  op.frame = const_cast<std::byte*>(peek(op.page));
  for (std::size_t i = 0; i < lines; ++i) __builtin_prefetch(op.frame + i * line_bytes);
  finish(op, {});
}

std::byte* PlainFile::frame_for(PageId page, std::uint32_t run) noexcept {
  std::byte* const in_place = engine_->page_in_place(page);
  return in_place != nullptr ? in_place : arena().take(run);
}

void PlainFile::begin(Op& op) noexcept {
  engine_->begin(op);
  collect();
}

void PlainFile::advance(std::size_t wanted) noexcept {
  if (wanted > 0 && done() >= wanted) {
    engine_->send();
  } else {
    engine_->advance(wanted == 0 ? 0 : wanted - done());
  }
  collect();
}

void PlainFile::collect() noexcept {
  while (!engine_->ended().empty()) {
    Op& op = engine_->ended().pop();
    finish(op, {op.result, op.os_error});
  }
}

}  // namespace pagealloc
