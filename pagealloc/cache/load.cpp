// How a cached file reads: what is there is lent, what is missing is loaded, and what is expected
// to be asked for next along with it, or ahead of it.
#include <algorithm>
#include <utility>

#include "pagealloc/cache/file.h"

namespace pagealloc::cache {

namespace {

/// Op::done_bytes of a read that nothing is to go along with.
constexpr std::uint32_t read_alone = 1;

}  // namespace

void File::read(Op& op) noexcept {
  if (op.run != 1) {
    if (!lend(op)) return;
    if (bypass(op)) return;
    return held_.push(op);
  }
  if (lent_ == geometry_.frames) return finish(op, {Errc::no_frames, 0});
  ++lent_;
  readahead_.see(op.page);
  const FrameId frame = cache_->pin(op.page);
  if (frame != no_frame) {
    uses_.push_back({frame, op.page});
    if (uses_.size() == uses_max) cache_->note(uses_);
    hit(op, frame);
    if (engine_->overlaps()) read_ahead();
  } else if (!read_missing(op)) {
    held_.push(op);
  }
}

void File::hit(Op& op, FrameId frame) noexcept {
  ++holds_[frame];
  op.frame = cache_->table().memory_of(frame);
  constexpr std::size_t line_bytes = 64;
  constexpr std::size_t lines = 4;
  for (std::size_t i = 0; i < lines; ++i) __builtin_prefetch(op.frame + i * line_bytes);
  finish(op, {});
}

/// False: there is no frame for it, before something is written back.
bool File::read_missing(Op& op) noexcept {
  // Chosen first, because others may come to wait for it.
  const bool alone = op.done_bytes == read_alone || (cluster_pages_ == 1 && engine_->overlaps());
  const bool wide = !alone && !idle_wide_.empty();
  auto& idle = wide ? idle_wide_ : idle_;
  Load& load = *idle.back();
  const Cache::Miss miss = cache_->miss(op.page, load, uses_);
  switch (miss.kind) {
    case Cache::Miss::Kind::found:
      hit(op, miss.frame);
      return true;
    case Cache::Miss::Kind::loading:
      static_cast<Load*>(miss.load)->waiting.push(op);
      ++static_cast<Load*>(miss.load)->chained;
      ++chained_;
      return true;
    case Cache::Miss::Kind::full:
      return false;
    case Cache::Miss::Kind::fresh:
    case Cache::Miss::Kind::unshared:
      break;
  }
  idle.pop_back();
  load.waiting.push(op);
  load.frames.assign(1, miss.frame);
  PageId first = op.page;
  if (wide && miss.kind == Cache::Miss::Kind::fresh) first = read_along(load, op.page);
  begin_load(load, first);
  if (engine_->overlaps()) read_ahead();
  return true;
}

/// What is read along with a page, because it costs little more: what is expected next, by an
/// engine that could not read it meanwhile; or else the rest of the page's cluster. Returns the
/// first page.
PageId File::read_along(Load& load, PageId page) noexcept {
  const Readahead::Guess guess = engine_->overlaps() ? Readahead::Guess{} : readahead_.guess();
  // One transfer at a time gains nothing by reading distant pages early.
  if (guess.stride != 1) readahead_.take_back(guess.count);
  if (guess.count > 0 && guess.stride == 1) {
    const PageId end = guess.first + guess.count;
    const PageId got = extend(load, page + 1, static_cast<std::uint32_t>(end - page - 1)).next;
    readahead_.take_back(
        static_cast<std::uint32_t>(std::min<std::uint64_t>(end - got, guess.count)));
    return page;
  }
  const PageId cluster = page - page % cluster_pages_;
  PageId first = page;
  for (; first > cluster; --first) {
    const std::size_t before = load.frames.size();
    (void)cache_->claim_ahead(first - 1, 1, load, load.frames, uses_);
    if (load.frames.size() == before) break;
  }
  std::ranges::reverse(load.frames);
  (void)extend(load, page + 1, static_cast<std::uint32_t>(cluster + cluster_pages_ - 1 - page));
  return first;
}

/// As many of these pages as can be had one after the other.
File::Extent File::extend(Load& load, PageId first, std::uint32_t pages) noexcept {
  if (first >= this->pages()) return {.next = first, .there = false};
  const std::size_t before = load.frames.size();
  const std::uint64_t room = std::min<std::uint64_t>(load.frames.capacity() - before, pages);
  const std::uint64_t count = std::min(room, this->pages() - first);
  const bool there = cache_->claim_ahead(first, count, load, load.frames, uses_);
  return {.next = first + (load.frames.size() - before), .there = there};
}

void File::begin_load(Load& load, PageId first) noexcept {
  load.pieces.clear();
  for (const FrameId frame : load.frames) {
    load.pieces.push_back({cache_->table().memory_of(frame), page_bytes()});
  }
  ++under_way_;
  if (load.wide) ++wide_;
  load.begin(*engine_, Verb::read, first);
  deliver(*engine_);
}

/// Begins to read them, as many as can be had. Precondition: a wide load is idle.
File::Extent File::load_ahead(PageId first, std::uint32_t pages) noexcept {
  Load& load = *idle_wide_.back();
  load.frames.clear();
  const Extent extent = extend(load, first, pages);
  if (!load.frames.empty()) {
    idle_wide_.pop_back();
    begin_load(load, first);
  }
  return extent;
}

// With an engine that moves one transfer at a time they have been read when this returns: more than
// a quarter would begin to drive each other out.
void File::prefetch(Op& op) noexcept {
  const PageId end = op.page + std::min(op.run, cache_->frames() / 4);
  PageId page = op.page;
  while (page < end && !idle_wide_.empty()) {
    const Extent extent = load_ahead(page, static_cast<std::uint32_t>(end - page));
    if (extent.next == page && !extent.there) break;  // no room
    page = extent.next + (extent.there ? 1 : 0);
  }
  finish(op, {});
}

void File::read_ahead() noexcept {
  const Readahead::Guess guess = readahead_.guess();
  std::uint32_t done = 0;
  while (done < guess.count && !idle_wide_.empty()) {
    const auto distance = guess.stride * static_cast<std::int64_t>(done);
    const PageId first = guess.first + static_cast<PageId>(distance);
    const Extent extent = load_ahead(first, guess.stride == 1 ? guess.count - done : 1);
    const bool end_of_file = extent.next >= pages();
    done += static_cast<std::uint32_t>(extent.next - first) + (extent.there ? 1U : 0U);
    if (extent.next == first && !extent.there && !end_of_file) break;  // no room
    if (end_of_file) break;
  }
  readahead_.take_back(guess.count - done);
}

void File::loaded(Load& load) noexcept {
  if (load.wide) --wide_;
  --under_way_;
  chained_ -= std::exchange(load.chained, 0);
  if (load.result != Errc::ok) return fail(load);
  while (!load.waiting.empty()) {
    Op& op = load.waiting.pop();
    const FrameId frame = load.frames[op.page - load.page];
    cache_->table().hold(frame);
    ++holds_[frame];
    op.frame = cache_->table().memory_of(frame);
    finish(op, {});
  }
  cache_->publish(load.frames);
  (load.wide ? idle_wide_ : idle_).push_back(&load);
}

void File::fail(Load& load) noexcept {
  for (const FrameId frame : load.frames) cache_->give_up(frame);
  while (!load.waiting.empty()) {
    Op& op = load.waiting.pop();
    if (load.frames.size() > 1) {  // another page may be to blame
      op.done_bytes = read_alone;
      held_.push(op);
      continue;
    }
    --lent_;
    finish(op, {load.result, load.os_error});
  }
  (load.wide ? idle_wide_ : idle_).push_back(&load);
}

}  // namespace pagealloc::cache
