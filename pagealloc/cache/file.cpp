#include "pagealloc/cache/file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace pagealloc::cache {

namespace {

constexpr std::uint32_t wide_transfer_bytes = 128U << 10;
constexpr std::uint32_t wide_loads_max = 16;

std::uint32_t at_least_one(std::uint64_t pages) {
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(pages, 1));
}

/// Pages of one transfer that reads ahead. An engine that moves one at a time gets all at once.
std::uint32_t wide_pages(const IoEngine& engine) {
  const SharedFile& shared = engine.shared();
  const std::uint32_t window = shared.options().cache.readahead_bytes;
  const std::uint32_t bytes =
      engine.overlaps() ? wide_transfer_bytes : std::max(window, wide_transfer_bytes);
  return at_least_one(
      std::min<std::uint64_t>(bytes / shared.geometry().page_bytes, pieces_max - 1));
}

}  // namespace

static_assert(wide_loads_max + WriteBack::transfers_max + 1 <= cache_transfers_max);

Result<std::unique_ptr<PageFile>> File::open(std::unique_ptr<IoEngine> engine) {
  SharedFile& shared = engine->shared();
  auto cache = Cache::make(shared);
  if (!cache) return std::unexpected(cache.error());
  Common common{std::move(*cache), nullptr};
  if (!shared.geometry().read_only && !shared.geometry().write_through) {
    auto another = engine->another();
    if (!another) return std::unexpected(another.error());
    auto background =
        Background::make(*common.cache, std::move(*another), common.cache->frames() / 8);
    if (!background) return std::unexpected(background.error());
    common.background = std::move(*background);
  }
  return make(std::move(common), std::move(engine));
}

Result<std::unique_ptr<PageFile>> File::make(Common common, std::unique_ptr<IoEngine> engine) {
  SharedFile& shared = engine->shared();
  const std::uint32_t lends = shared.geometry().frames;
  auto arena =
      FrameArena::make(shared.kernel(), lends, shared.geometry().page_bytes, shared.path());
  if (!arena) return std::unexpected(arena.error());
  std::vector<iovec> memory{{arena->memory().data(), arena->memory().size()}};
  constexpr std::size_t block_bytes_max = 1U << 30;  // what the kernel registers in one piece
  std::span<std::byte> frames = common.cache->table().memory();
  while (!frames.empty()) {
    const std::size_t bytes = std::min(frames.size(), block_bytes_max);
    memory.push_back({frames.data(), bytes});
    frames = frames.subspan(bytes);
  }
  if (auto good = engine->prepare(memory); !good) return std::unexpected(good.error());
  if (!common.cache->admit_handle(lends)) {
    return std::unexpected(shared.error(
        Errc::no_frames, 0,
        fmt::format("its cache of {} frames cannot guarantee one more handle {} of them",
                    common.cache->frames(), lends)));
  }
  return std::make_unique<File>(std::move(common), std::move(*arena), std::move(engine));
}

File::File(Common common, FrameArena arena, std::unique_ptr<IoEngine> engine)
    : Handle(engine->share(), std::move(arena)),
      cache_(std::move(common.cache)),
      background_(std::move(common.background)),
      engine_(std::move(engine)),
      write_back_(*cache_, *engine_),
      readahead_(std::min<std::uint32_t>(
          static_cast<std::uint32_t>(shared().options().cache.readahead_bytes / page_bytes()),
          cache_->frames() / 8)),
      cluster_pages_(at_least_one(std::min<std::uint64_t>(
          shared().options().cache.cluster_bytes / page_bytes(), pieces_max))),
      flush_(this) {
  const auto prepare = [](std::vector<Load>& loads, std::vector<Load*>& idle, std::size_t pages) {
    for (Load& load : loads) {
      load.pieces.reserve(pages);
      load.frames.reserve(pages);
      idle.push_back(&load);
    }
  };
  loads_.assign(geometry_.depth_max, Load(*this, false));
  wide_loads_.assign(wide_loads_max, Load(*this, true));
  bypasses_.assign(geometry_.depth_max, Bypass(*this));
  prepare(loads_, idle_, 1);
  prepare(wide_loads_, idle_wide_, std::max(wide_pages(*engine_) + 1, cluster_pages_));
  for (Bypass& each : bypasses_) idle_bypasses_.push_back(&each);
  uses_.reserve(uses_max);
  holds_.assign(cache_->frames(), 0);
}

// What is lent or staged ends with its handle. What was reaped is in the file when the last one has
// gone, as it is with the kernel's cache; it is durable only if it was synced.
File::~File() {
  drain();
  while (under_way_ > 0) {
    engine_->advance(1);
    deliver(*engine_);
  }
  cache_->note(uses_);
  for (FrameId frame = 0; lent_ > 0; ++frame) {
    while (holds_[frame] > 0) give_back(cache_->table().memory_of(frame));
  }
  if (cache_->dismiss_handle(geometry_.frames)) {
    while (cache_->dirty() > 0) write_back_.run(SIZE_MAX);
  }
}

Result<std::unique_ptr<PageFile>> File::another() noexcept {
  auto engine = engine_->another();
  if (!engine) return std::unexpected(engine.error());
  return make({cache_, background_}, std::move(*engine));
}

// Nothing is written back meanwhile: beyond the end it would make the file longer again.
Result<void> File::resize(std::uint64_t pages) noexcept {
  cache_->turn().take();
  const bool shorter = pages < this->pages();
  auto resized = shared().resize(pages);
  if (resized && shorter) cache_->drop(pages, UINT64_MAX - pages);
  cache_->turn().give_back();
  drop_if_poisoned();
  return resized;
}

CacheCounters File::cache_counters() const noexcept {
  CacheCounters counters = cache_->counters();
  counters.hits += uses_.size();
  return counters;
}

// --- Writing ------------------------------------------------------------------------------------

std::byte* File::frame_for(PageId, std::uint32_t run) noexcept {
  if (run != 1) return arena().take(run);
  if (lent_ == geometry_.frames) return nullptr;
  FrameId frame = cache_->stage(uses_);
  for (; frame == no_frame; frame = cache_->stage(uses_)) make_room();
  ++lent_;
  ++holds_[frame];
  return cache_->table().memory_of(frame);
}

void File::give_back(std::byte* memory) noexcept {
  const FrameId frame = cache_->table().frame_at(memory);
  if (frame == no_frame) return;
  assert(holds_[frame] > 0 && "released twice, or by another handle than it was lent by");
  if (holds_[frame] == 0) return;
  --holds_[frame];
  --lent_;
  if (cache_->table().claimed(frame)) {
    cache_->give_up(frame);
  } else {
    cache_->unpin(frame);
  }
}

/// Did this handle stage it, and has not used it yet?
bool File::is_staged(FrameId frame) const noexcept {
  return frame != no_frame && holds_[frame] != 0 && cache_->table().claimed(frame);
}

bool File::spend(std::byte* memory) noexcept {
  const FrameId frame = cache_->table().frame_at(memory);
  if (!is_staged(frame)) return false;
  give_back(memory);
  return true;
}

void File::write(Op& op) noexcept {
  if (cache_->table().owns(op.frame)) {
    const FrameId frame = cache_->table().frame_at(op.frame);
    // A frame that was lent for reading is not the caller's to write.
    if (op.run != 1 || !is_staged(frame)) return finish(op, {Errc::bad_argument, 0});
    return write_staged(op, frame);
  }
  if (!bypass(op)) held_.push(op);
}

void File::write_staged(Op& op, FrameId frame) noexcept {
  if (geometry_.write_through) {
    return begin_bypass(op, frame);  // nothing is ever dirty, so nothing is being written back
  }
  // "Disk full" must show now, while nothing depends on it; what is dirty has passed that already.
  blocking::Outcome filled;
  if (shared().sparse() && !cache_->any_unwritten(op.page, 1)) {
    filled = blocking::fill_holes(shared(), op);
  }
  if (filled.result != Errc::ok) {
    finish(op, filled);  // which spends the frame, and may poison
    return drop_if_poisoned();
  }
  spend_on(frame, op);
  cache_->put(frame, op.page, true, uses_);
  drop_if_poisoned();
  if (cache_->dirty() > cache_->frames() / 4) background_->nudge();
  finish(op, {});
}

/// The frame is the page's from now on, and not this handle's any more.
void File::spend_on(FrameId frame, Op& op) noexcept {
  op.frame = nullptr;
  --lent_;
  --holds_[frame];
}

/// After the first failure what was not written is gone, and nobody shall read it.
void File::drop_if_poisoned() noexcept {
  if (shared().failed() == Errc::poisoned) cache_->drop_all();
}

void File::punch(Op& op) noexcept {
  if (!bypass(op)) held_.push(op);
}

// --- Past the cache -----------------------------------------------------------------------------

/// False: the file has something else than the cache, which must be written first: what passes the
/// cache by may fail, and must not take with it what was reaped before.
bool File::bypass(Op& op) noexcept {
  if (cache_->any_unwritten(op.page, op.run)) return false;
  begin_bypass(op);
  return true;
}

void File::begin_bypass(Op& op, FrameId staged) noexcept {
  Bypass& transfer = *idle_bypasses_.back();
  idle_bypasses_.pop_back();
  transfer.op = &op;
  transfer.staged = staged;
  static_cast<Op&>(transfer) =
      Op{.verb = op.verb, .run = op.run, .page = op.page, .frame = op.frame};
  ++under_way_;
  engine_->begin(transfer);
  deliver(*engine_);
}

void File::bypassed(Bypass& transfer) noexcept {
  --under_way_;
  Op& op = *transfer.op;
  const blocking::Outcome outcome{transfer.result, transfer.os_error};
  idle_bypasses_.push_back(&transfer);
  // What there is of it, perhaps read ahead meanwhile, may be older than what was written.
  if (op.verb != Verb::read) cache_->drop(op.page, op.run);
  if (transfer.staged != no_frame && outcome.result == Errc::ok) {
    spend_on(transfer.staged, op);
    cache_->put(transfer.staged, op.page, false, uses_);
  }
  drop_if_poisoned();
  finish(op, outcome);
}

// --- Waiting ------------------------------------------------------------------------------------

// Who has what he waits for does not wait for a sync as well; who asks whether it is done does.
void File::advance(std::size_t wanted) noexcept {
  if (wanted > 0 && done() >= wanted) {
    engine_->send();
    deliver(*engine_);
    return keep_up();
  }
  retry_held();
  if (wanted == 0) engine_->advance(0);
  deliver(*engine_);
  while (done() < wanted) {
    if (under_way_ > 0) {
      // A transfer may end several operations, or none that is waited for.
      engine_->advance(wide_ + chained_ > 0 ? 1 : wanted - done());
      deliver(*engine_);
    }
    retry_held();
  }
}

void File::retry_held() noexcept {
  OpList all = std::exchange(held_, OpList());
  OpList syncs;
  while (!all.empty()) {
    Op& op = all.pop();
    if (op.verb == Verb::sync) {
      syncs.push(op);
      continue;
    }
    if (op.verb == Verb::read && op.run == 1) {
      while (!read_missing(op)) make_room();
      continue;
    }
    pass_by(op);
  }
  if (!syncs.empty()) sync_all(syncs);
  keep_up();
}

/// What is in its way is written first; if that fails the operation is refused.
void File::pass_by(Op& op) noexcept {
  while (op.verb == Verb::read || shared().failed() != Errc::poisoned) {
    if (bypass(op)) return;
    write_back_.run(SIZE_MAX);
  }
  finish(op, {Errc::poisoned, 0});
}

void File::sync_all(OpList& syncs) noexcept {
  const blocking::Outcome outcome = flush();
  while (!syncs.empty()) finish(syncs.pop(), outcome);
  drop_if_poisoned();
}

blocking::Outcome File::flush() noexcept {
  const blocking::Outcome written = write_back_.run(SIZE_MAX);
  if (written.result != Errc::ok) return written;
  if (shared().failed() != Errc::ok) return {shared().failed(), 0};
  flush_.done = false;
  flush_.verb = Verb::sync;
  engine_->begin(flush_);
  deliver(*engine_);
  while (!flush_.done) {
    engine_->advance(1);
    deliver(*engine_);
  }
  return {flush_.result, flush_.os_error};
}

/// Somewhere a frame is lent back, cleaned, or has arrived: this handle does what it can.
void File::make_room() noexcept {
  constexpr std::size_t batch_pages = 64;
  write_back_.run(batch_pages);
}

/// Who writes faster than the background can clean helps.
void File::keep_up() noexcept {
  while (cache_->dirty() > cache_->frames() / 2) write_back_.run(256);
}

}  // namespace pagealloc::cache
