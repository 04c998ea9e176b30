#include "pagealloc/page/allocator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

namespace pagealloc::page {

namespace {

/// A growing file takes an eighth of its length more at once: few resizes, and little that lies
/// idle.
std::uint64_t extent_pages(std::uint64_t pages, std::uint32_t page_bytes) {
  constexpr std::uint64_t least_bytes = 64U << 10;
  constexpr std::uint64_t most_bytes = 64U << 20;
  const std::uint64_t least = std::max<std::uint64_t>(least_bytes / page_bytes, 4);
  return std::clamp(pages / 8, least, most_bytes / page_bytes);
}

}  // namespace

Error Allocator::refuse(PageId page, Errc code, std::string cause) const {
  const std::uint64_t page_bytes = file_->geometry().page_bytes;
  return Error{.code = code,
               .path = std::string(file_->path()),
               .page = page,
               .offset_bytes = page <= UINT64_MAX / page_bytes ? std::optional(page * page_bytes)
                                                               : std::nullopt,
               .cause = std::move(cause)};
}

Census Allocator::census() const noexcept {
  Census census{.pages = pages(), .used = used_pages_, .map = tree_.size(), .held = held_pages_};
  for (PageId page = 0; page < pages(); ++page) census.punched += state(page) == State::punched;
  return census;
}

// --- Allocating ---------------------------------------------------------------------------------

Result<PageId> Allocator::allocate(std::uint32_t run) {
  if (auto good = check_usable(); !good) return std::unexpected(good.error());
  const std::uint64_t run_max = this->run_max();
  if (run == 0 || run > run_max) {
    return std::unexpected(
        Error{.code = Errc::bad_argument,
              .path = std::string(file_->path()),
              .cause = fmt::format("a run of {} pages; 1 to {} can be had", run, run_max)});
  }
  // The last free pages are for the map: without a place to write it to, nobody could even free.
  // Growing adds to the map, so it is asked again.
  for (;;) {
    const std::uint64_t needed = run + tree_.reserve_pages();
    const std::uint64_t missing = needed - std::min(needed, idle_pages());
    if (missing == 0 && (run == 1 || map_.find(run))) break;
    if (auto grown = grow(missing > 0 ? missing : run); !grown) {
      return std::unexpected(grown.error());
    }
  }
  return take(run);
}

std::uint64_t Allocator::run_max() const noexcept {
  return run_bytes_max / file_->geometry().page_bytes;
}

std::uint64_t Allocator::idle_pages() const noexcept { return pages() - used_pages_ - held_pages_; }

Result<PageId> Allocator::take(std::uint32_t run) {
  auto page = map_.find(run);
  if (!page) {
    if (auto grown = grow(run); !grown) return std::unexpected(grown.error());
    page = map_.find(run);
  }
  return take_at(*page, run);
}

Result<PageId> Allocator::take_at(PageId page, std::uint32_t run) {
  if (auto filled = fill_punched(page, run); !filled) return std::unexpected(filled.error());
  map_.take(page, run);
  touch(page, run);
  fresh_.insert(page);
  used_pages_ += run;
  return page;
}

Result<void> Allocator::grow(std::uint64_t more) {
  if (file_->geometry().fixed_size) {
    return std::unexpected(
        Error{.code = Errc::disk_full,
              .path = std::string(file_->path()),
              .cause = fmt::format("no {} free pages, and its length is fixed", more)});
  }
  const std::uint64_t needed = pages() + more;
  std::uint64_t target =
      std::max(needed, pages() + extent_pages(pages(), file_->geometry().page_bytes));
  // A power cut may have left a file that is longer than the last commit knew.
  if (file_->pages() < target) {
    auto grown = file_->resize(target);
    if (!grown && grown.error().code == Errc::disk_full && target > needed) {
      target = needed;
      grown = file_->pages() < target ? file_->resize(target) : Result<void>{};
    }
    if (!grown) return grown;
  }
  resize(target);
  return {};
}

/// A punched page gets its blocks back before anybody relies on it (clause 11).
Result<void> Allocator::fill_punched(PageId page, std::uint32_t run) {
  const auto punched = [&](PageId at) { return state(at) == State::punched; };
  constexpr std::uint32_t piece_pages = 64;
  for (std::uint32_t done = 0; done < run;) {
    std::uint32_t piece = 0;
    while (piece < piece_pages && done + piece < run && punched(page + done + piece)) ++piece;
    if (piece == 0) {
      ++done;
      continue;
    }
    Buffer zeros(file_->geometry().page_bytes, piece);
    auto written = write_run(*file_, page + done, zeros.bytes());
    if (!written) return written;
    done += piece;
  }
  return {};
}

Result<void> Allocator::free(PageId page) {
  if (auto good = check_usable(); !good) return good;
  if (page >= pages()) {
    return std::unexpected(refuse(page, Errc::beyond_end,
                                  fmt::format("cannot be freed, there are {} pages", pages())));
  }
  if (page < superblocks || is_map(page)) {
    return std::unexpected(
        refuse(page, Errc::bad_argument,
               fmt::format("cannot be freed, it is {}",
                           page < superblocks ? "a superblock" : "the free map's own")));
  }
  if (state(page) != State::used) {
    return std::unexpected(refuse(page, Errc::bad_argument,
                                  state(page) == State::inside
                                      ? "cannot be freed, it is inside of a run"
                                      : "cannot be freed, it is free already"));
  }
  release(page);
  return {};
}

void Allocator::release(PageId page) {
  // What was allocated since the last commit is nothing that this one could need.
  const bool held = fresh_.erase(page) == 0;
  const std::uint32_t run = map_.release(page, held);
  touch(page, run);
  used_pages_ -= run;
  if (!held) return;
  held_.push_back({page, run});
  held_pages_ += run;
}

void Allocator::touch(PageId page, std::uint64_t count) {
  for (PageId at = page; at < page + count; at += tree_.leaf_pages()) tree_.touch(at);
  tree_.touch(page + count - 1);
}

void Allocator::resize(std::uint64_t pages) {
  map_.resize(pages);
  for (const PageId page : tree_.resize(pages)) release(page);
}

// --- Committing ---------------------------------------------------------------------------------

Result<void> Allocator::commit() {
  if (auto good = check_usable(); !good) return good;
  if (auto given = give_homes(); !given) return given;
  Superblock next = last_;
  next.commit = transaction();
  next.pages = pages();
  next.used_pages = used_pages_;
  next.roots = roots;
  if (auto written = tree_.write(*file_, map_, next.commit, next); !written) return written;
  if (auto durable = sync(*file_); !durable) return durable;
  const PageId at = at_ == 0 ? 2 : 0;
  auto published = write_superblocks(next, at);
  if (published) published = sync(*file_);
  half_published_ = !published;
  if (published) settle(next, at);
  return published;
}

/// A superblock that has arrived in part may be what the next open() finds, so nothing that it
/// points to may change any more: neither its map nor the pages that it says are in use.
Result<void> Allocator::check_usable() const {
  if (!half_published_) return {};
  return std::unexpected(refuse(at_ == 0 ? 2 : 0, Errc::poisoned,
                                "a commit failed while this superblock was written; open the file "
                                "again, to see whether it is there"));
}

/// The map's pages move, which changes the map. It ends: each of them moves once in a commit.
Result<void> Allocator::give_homes() {
  while (tree_.needs_home()) {
    const auto idle = map_.find_with_blocks();
    const auto home = idle ? take_at(*idle, 1) : take(1);
    if (!home) return std::unexpected(home.error());
    if (const auto before = tree_.move(*home)) release(*before);
  }
  return {};
}

void Allocator::settle(const Superblock& superblock, PageId at) {
  tree_.settle();
  for (const Run& run : std::exchange(held_, {})) map_.unhold(run.page, run.pages);
  held_pages_ = 0;
  fresh_.clear();
  last_ = superblock;
  at_ = at;
}

Result<void> Allocator::write_superblocks(const Superblock& superblock, PageId first) {
  Buffer buffer(file_->geometry().page_bytes, 1);
  for (const PageId page : {first, first + 1}) {
    encode(buffer.bytes(), page, superblock);
    if (auto written = write_run(*file_, page, buffer.bytes()); !written) return written;
  }
  return {};
}

// --- Giving back --------------------------------------------------------------------------------

Result<void> Allocator::punch(PageId page, std::uint64_t count) {
  if (auto good = check_usable(); !good) return good;
  if (page >= pages() || count > pages() - page) {
    return std::unexpected(
        refuse(page, Errc::beyond_end,
               fmt::format("cannot punch {} pages, there are {}", count, pages())));
  }
  for (PageId at = page; at < page + count; ++at) {
    if (state(at) == State::used || state(at) == State::inside) {
      return std::unexpected(
          refuse(at, Errc::bad_argument, "cannot be punched, it is in use; nothing was done"));
    }
    if (map_.is_held(at)) {
      return std::unexpected(refuse(at, Errc::bad_argument,
                                    "cannot be punched, the last commit needs it; nothing was "
                                    "done"));
    }
  }
  if (auto punched = punch_run(page, count); !punched) return punched;
  return commit();
}

/// First the hole, then the note of it: the other way round a full disk could surprise who relies
/// on blocks that the map says are there.
Result<void> Allocator::punch_run(PageId page, std::uint64_t count) {
  while (count > 0) {
    const auto run = static_cast<std::uint32_t>(std::min(run_max(), count));
    if (auto punched = pagealloc::punch(*file_, page, run); !punched) return punched;
    for (PageId at = page; at < page + run; ++at) {
      if (state(at) == State::free) map_.punch(at);
    }
    touch(page, run);
    page += run;
    count -= run;
  }
  return {};
}

Result<void> Allocator::compact() {
  if (file_->geometry().fixed_size) {
    return std::unexpected(Error{.code = Errc::not_available,
                                 .path = std::string(file_->path()),
                                 .cause = "not available here: the length of a device is fixed, "
                                          "and its pages cannot be punched"});
  }
  if (auto done = commit(); !done) return done;  // what was freed before can be given back
  if (auto done = cut_tail(); !done) return done;
  // The map moves once more, to say what is punched: first, so that it does not need that again.
  touch(0, pages());
  if (auto given = give_homes(); !given) return given;
  if (auto done = punch_all(); !done) return done;
  if (auto done = commit(); !done) return done;
  if (file_->pages() == pages()) return {};
  if (auto cut = file_->resize(pages()); !cut) return cut;
  return sync(*file_);
}

/// Moves the map to the lowest pages that are free and forgets what is free at the end. A shorter
/// file has a smaller map, which makes it shorter still.
Result<void> Allocator::cut_tail() {
  for (std::uint64_t before = UINT64_MAX; pages() < before;) {
    before = pages();
    touch(0, pages());
    if (auto moved = commit(); !moved) return moved;
    // As many stay free as the map may need to move once more, or the file would grow again.
    const std::uint64_t end = map_.used_end();
    const std::uint64_t idle = end - used_pages_;
    const std::uint64_t spare = idle < tree_.size() ? tree_.size() - idle : 0;
    if (end + spare < pages()) resize(end + spare);
    if (auto cut = commit(); !cut) return cut;
  }
  return {};
}

Result<void> Allocator::punch_all() {
  for (PageId page = 0; page < pages();) {
    PageId end = page;
    while (end < pages() && state(end) == State::free && !map_.is_held(end)) ++end;
    if (end > page) {
      if (auto punched = punch_run(page, end - page); !punched) return punched;
    }
    page = end + 1;
  }
  return {};
}

}  // namespace pagealloc::page
