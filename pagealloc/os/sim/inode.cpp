#include "pagealloc/os/sim/inode.h"

#include <algorithm>
#include <cstring>

namespace pagealloc::os::sim {

Inode::Inode(std::uint64_t number, const FileImage& image)
    : number_(number),
      kind_(image.kind),
      target_(image.target),
      content_(image.bytes),
      medium_(image),
      unreadable_(image.unreadable) {
  fit();
  for (std::uint64_t block = 0; block < blocks_.size(); ++block) {
    blocks_[block].allocated = image.allocated[block];
  }
}

// --- Page cache ---------------------------------------------------------------------------------

void Inode::fit() { blocks_.resize(blocks_of(bytes()), Block{}); }

std::size_t Inode::read(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset >= bytes()) return 0;
  const std::size_t count = std::min<std::uint64_t>(out.size(), bytes() - offset);
  std::memcpy(out.data(), content_.all().data() + offset, count);
  return count;
}

void Inode::write(std::uint64_t offset, std::span<const std::byte> in) {
  if (offset + in.size() > bytes()) resize(offset + in.size());
  std::memcpy(content_.all().data() + offset, in.data(), in.size());
  allocate(offset, in.size());
  mark(offset, in.size(), {.resident = true, .dirty = true, .allocated = true});
  if (writable_maps_ > 0) std::memcpy(stores_seen_.data() + offset, in.data(), in.size());
}

void Inode::mark(std::uint64_t offset, std::uint64_t bytes, Block with) {
  if (bytes == 0) return;
  for (std::uint64_t block = offset / block_bytes; block <= (offset + bytes - 1) / block_bytes;
       ++block) {
    blocks_[block].resident |= with.resident;
    blocks_[block].dirty |= with.dirty;
    blocks_[block].allocated |= with.allocated;
  }
}

void Inode::resize(std::uint64_t new_bytes) {
  collect_stores();
  const std::uint64_t old_bytes = bytes();
  // What lies behind the end of the last block is zero when the file grows again.
  if (new_bytes < old_bytes && new_bytes % block_bytes != 0) {
    const std::uint64_t end = std::min(old_bytes, blocks_of(new_bytes) * block_bytes);
    std::memset(content_.all().data() + new_bytes, 0, end - new_bytes);
  }
  content_.resize(new_bytes);
  fit();
  if (writable_maps_ > 0) stores_seen_.resize(new_bytes);
  under_way_.push_back({.what = What::resize, .offset = 0, .count = new_bytes});
}

void Inode::punch(std::uint64_t offset, std::uint64_t count) {
  collect_stores();
  const std::uint64_t end = std::min(offset + count, bytes());
  if (offset >= end) return;
  std::memset(content_.all().data() + offset, 0, end - offset);
  if (writable_maps_ > 0) std::memset(stores_seen_.data() + offset, 0, end - offset);
  // Whole blocks are given back; the rest of the others is written with zeros.
  const std::uint64_t first = (offset + block_bytes - 1) / block_bytes;
  const std::uint64_t last = end == bytes() ? blocks_of(end) : end / block_bytes;
  for (std::uint64_t block = offset / block_bytes; block < blocks_of(end); ++block) {
    if (block >= first && block < last) {
      blocks_[block] = Block{};
    } else if (blocks_[block].allocated) {
      blocks_[block].dirty = true;
    }
  }
  under_way_.push_back({.what = What::punch, .offset = offset, .count = end - offset});
}

std::uint64_t Inode::holes(std::uint64_t offset, std::uint64_t count) const {
  std::uint64_t missing = 0;
  for (std::uint64_t block = offset / block_bytes; block < blocks_of(offset + count); ++block) {
    if (block >= blocks_.size() || !blocks_[block].allocated) missing += block_bytes;
  }
  return missing;
}

void Inode::allocate(std::uint64_t offset, std::uint64_t count) {
  if (holes(offset, count) == 0) return;
  // Blocks reserved behind the end are forgotten: nobody can see them, and a resize asks again.
  const std::uint64_t end = std::min(offset + count, bytes());
  if (offset >= end) return;
  mark(offset, end - offset, {.resident = false, .dirty = false, .allocated = true});
  under_way_.push_back({.what = What::allocate, .offset = offset, .count = end - offset});
}

bool Inode::allocated(std::uint64_t block) const {
  return block < blocks_.size() && blocks_[block].allocated;
}

std::uint64_t Inode::allocated_bytes() const {
  const auto count = std::ranges::count_if(blocks_, [](Block block) { return block.allocated; });
  return static_cast<std::uint64_t>(count) * block_bytes;
}

bool Inode::resident(std::uint64_t block) const {
  return block < blocks_.size() && blocks_[block].resident;
}

void Inode::set_resident(std::uint64_t offset, std::uint64_t count) {
  const std::uint64_t end = std::min(offset + count, bytes());
  if (offset < end)
    mark(offset, end - offset, {.resident = true, .dirty = false, .allocated = false});
}

void Inode::evict() {
  collect_stores();
  for (Block& block : blocks_) block.resident = block.dirty;
  if (!differs_) return;
  const FileImage seen = seen_by_device();
  const auto now = content_.all();
  differs_ = !dirty_blocks().empty();
  for (std::uint64_t block = 0; block < blocks_.size(); ++block) {
    if (blocks_[block].dirty) continue;
    const std::uint64_t offset = block * block_bytes;
    const std::uint64_t count = std::min<std::uint64_t>(block_bytes, now.size() - offset);
    std::memcpy(now.data() + offset, seen.bytes.data() + offset, count);
    if (writable_maps_ > 0) std::memcpy(stores_seen_.data() + offset, now.data() + offset, count);
  }
}

void Inode::collect_stores() {
  if (writable_maps_ == 0) return;
  const auto now = content_.all();
  for (std::uint64_t offset = 0; offset < now.size(); offset += block_bytes) {
    const std::uint64_t count = std::min<std::uint64_t>(block_bytes, now.size() - offset);
    if (std::memcmp(now.data() + offset, stores_seen_.data() + offset, count) == 0) continue;
    std::memcpy(stores_seen_.data() + offset, now.data() + offset, count);
    allocate(offset, count);
    mark(offset, count, {.resident = true, .dirty = true, .allocated = true});
  }
}

void Inode::map_writable() {
  if (writable_maps_++ > 0) return;
  const auto now = content_.all();
  stores_seen_.assign(now.begin(), now.end());
}

void Inode::unmap_writable() {
  collect_stores();
  if (--writable_maps_ == 0) stores_seen_ = {};
}

}  // namespace pagealloc::os::sim
