#include "pagealloc/page/free_map.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace pagealloc::page {

std::string_view name_of(State state) {
  switch (state) {
    case State::free:
      return "free";
    case State::used:
      return "used";
    case State::punched:
      return "punched";
    case State::inside:
      return "inside of a run";
  }
  return "unknown";
}

void FreeMap::resize(std::uint64_t pages) {
  // Whole words and bytes: what lies beyond the end is busy, and zero in the file.
  for (PageId page = pages; page < pages_; ++page) mark(page, true);
  states_.resize((pages + 3) / 4);
  busy_.resize((pages + 63) / 64, ~std::uint64_t{0});
  if (pages % 4 != 0 && pages < pages_) {
    for (PageId page = pages; page % 4 != 0; ++page) put(page, State::free);
  }
  for (PageId page = pages_; page < pages; ++page) mark(page, false);
  lowest_ = std::min(lowest_, std::min(pages_, pages));
  pages_ = pages;
}

State FreeMap::at(PageId page) const noexcept {
  assert(page < pages_);
  return static_cast<State>(std::to_integer<unsigned>(states_[page / 4]) >> page % 4 * 2 & 3U);
}

std::uint32_t FreeMap::run_of(PageId page) const noexcept {
  assert(at(page) == State::used);
  PageId end = page + 1;
  while (end < pages_ && at(end) == State::inside) ++end;
  return static_cast<std::uint32_t>(end - page);
}

std::uint64_t FreeMap::used_end() const noexcept {
  for (PageId page = pages_; page > 0; --page) {
    if (at(page - 1) == State::used || at(page - 1) == State::inside) return page;
  }
  return 0;
}

// A word at a time: the zeros of busy_ are what is looked for.
std::optional<PageId> FreeMap::find(std::uint32_t run) noexcept {
  PageId page = lowest_;
  lowest_ = pages_;
  std::uint64_t found = 0;  // side by side, and right before `page`
  while (page < pages_) {
    const std::uint64_t word = busy_[page / 64] >> page % 64;
    const auto left = static_cast<unsigned>(64 - page % 64);
    const auto idle = std::min(static_cast<unsigned>(std::countr_zero(word)), left);
    found += idle;
    if (idle > 0) lowest_ = std::min(lowest_, page);
    if (found >= run) return page + idle - found;
    if (idle < left) {
      found = 0;
      page += idle + std::min(static_cast<unsigned>(std::countr_one(word >> idle)), left - idle);
    } else {
      page += idle;
    }
  }
  return {};
}

std::optional<PageId> FreeMap::find_with_blocks() noexcept {
  constexpr std::uint64_t far = 65536;
  const auto lowest = find(1);
  if (!lowest) return {};
  const PageId end = std::min(pages_, *lowest + far);
  for (PageId page = *lowest; page < end; ++page) {
    if (at(page) == State::free && !is_busy(page)) return page;
  }
  return lowest;
}

void FreeMap::take(PageId page, std::uint32_t run) noexcept {
  for (std::uint32_t i = 0; i < run; ++i) {
    assert(page + i < pages_ && !is_busy(page + i));
    put(page + i, i == 0 ? State::used : State::inside);
    mark(page + i, true);
  }
}

std::uint32_t FreeMap::release(PageId page, bool held) noexcept {
  const std::uint32_t run = run_of(page);
  for (std::uint32_t i = 0; i < run; ++i) put(page + i, State::free);
  if (!held) unhold(page, run);
  return run;
}

void FreeMap::unhold(PageId page, std::uint32_t run) noexcept {
  for (std::uint32_t i = 0; i < run; ++i) {
    assert(at(page + i) == State::free && is_busy(page + i));
    mark(page + i, false);
  }
  lowest_ = std::min(lowest_, page);
}

bool FreeMap::is_held(PageId page) const noexcept {
  return at(page) == State::free && is_busy(page);
}

void FreeMap::punch(PageId page) noexcept {
  assert(at(page) == State::free && !is_busy(page));
  put(page, State::punched);
}

void FreeMap::encode(PageId first, std::span<std::byte> bytes) const noexcept {
  assert(first % 4 == 0);
  std::ranges::fill(bytes, std::byte{0});
  if (first / 4 >= states_.size()) return;
  const auto from = std::span(states_).subspan(first / 4);
  std::ranges::copy(from.first(std::min(from.size(), bytes.size())), bytes.begin());
}

void FreeMap::decode(PageId first, std::span<const std::byte> bytes) noexcept {
  const PageId end = std::min<PageId>(pages_, first + bytes.size() * 4);
  for (PageId page = first; page < end; ++page) {
    const std::byte four = bytes[(page - first) / 4];
    const auto state = static_cast<State>(std::to_integer<unsigned>(four) >> page % 4 * 2 & 3U);
    put(page, state);
    mark(page, state == State::used || state == State::inside);
  }
  lowest_ = std::min(lowest_, first);
}

void FreeMap::put(PageId page, State state) noexcept {
  const unsigned shift = page % 4 * 2;
  std::byte& four = states_[page / 4];
  four = (four & ~static_cast<std::byte>(3U << shift)) |
         static_cast<std::byte>(static_cast<unsigned>(state) << shift);
}

void FreeMap::mark(PageId page, bool busy) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << page % 64;
  if (busy) {
    busy_[page / 64] |= bit;
  } else {
    busy_[page / 64] &= ~bit;
  }
}

}  // namespace pagealloc::page
