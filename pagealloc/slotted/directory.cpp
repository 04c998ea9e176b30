#include "pagealloc/slotted/directory.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "pagealloc/options.h"

namespace pagealloc::slotted {

namespace {

// Of the thread, because the largest page would take a quarter of a small stack.
thread_local std::array<std::uint64_t, page_bytes_max / 64> owned;
constexpr std::size_t alias_bytes = 4096;
thread_local std::array<std::byte, page_bytes_max + alias_bytes> scratch;

}  // namespace

std::optional<page::Damage> Directory::wrong_numbers() const {
  const auto damage = [](std::uint32_t at, std::string cause) {
    return page::Damage{at, std::move(cause)};
  };
  const std::uint32_t room = page_bytes_ - slots_begin;
  if (number(at_slots) > room / slot_bytes_) {
    return damage(at_slots, fmt::format("{} slots, where {} are the most", number(at_slots),
                                        room / slot_bytes_));
  }
  if (number(at_heap) > room) {
    return damage(at_heap,
                  fmt::format("a heap of {} bytes, where {} are the most", number(at_heap), room));
  }
  if (slots_end() > heap_begin()) {
    return damage(at_heap, fmt::format("the slots end at {}, and the heap begins at {}",
                                       slots_end(), heap_begin()));
  }
  if (fragment_bytes() > heap_bytes()) {
    return damage(at_fragments,
                  fmt::format("{} fragment bytes in a heap of {}", fragment_bytes(), heap_bytes()));
  }
  return {};
}

void MutableDirectory::clear() const noexcept {
  set_slots(0);
  set_heap_bytes(0);
  set_fragment_bytes(0);
  set_extra(0);
}

Owners::Owners(std::uint32_t page_bytes) noexcept {
  std::fill_n(owned.begin(), page_bytes / 64, std::uint64_t{0});
}

bool Owners::take(std::uint32_t offset, std::uint32_t bytes) noexcept {
  for (const std::uint32_t end = offset + bytes; offset < end;) {
    const std::uint32_t first = offset % 64;
    const std::uint32_t count = std::min(64 - first, end - offset);
    const std::uint64_t ones = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
    std::uint64_t& word = owned[offset / 64];
    if ((word & ones << first) != 0) return false;
    word |= ones << first;
    offset += count;
  }
  return true;
}

// Processors compare the addresses of a load and of the stores before it by their lowest 12 bits at
// first, and wait where those agree. Records move little, so a copy at the same place of another
// 4096 bytes would make every one of them wait; this one is half of that away.
Scratch::Scratch(const Directory& directory) noexcept {
  const auto page = reinterpret_cast<std::uintptr_t>(directory.bytes().data());
  const auto begin = reinterpret_cast<std::uintptr_t>(scratch.data());
  copy_ = scratch.data() + (page + alias_bytes / 2 - begin) % alias_bytes;
  const auto heap = directory.bytes().subspan(directory.heap_begin());
  std::memcpy(copy_ + directory.heap_begin(), heap.data(), heap.size());
}

}  // namespace pagealloc::slotted
