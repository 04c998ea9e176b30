#include "pagealloc/os/sim/inode.h"

#include <algorithm>
#include <cstring>

namespace pagealloc::os::sim {

namespace {

std::uint64_t blocks_of(std::uint64_t bytes) { return (bytes + block_bytes - 1) / block_bytes; }

}  // namespace

Inode::Inode(std::uint64_t number, const FileImage& image)
    : number_(number),
      kind_(image.kind),
      target_(image.target),
      content_(image.bytes),
      medium_(image) {
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

// --- Towards the medium -------------------------------------------------------------------------

std::vector<std::uint64_t> Inode::dirty_blocks() const {
  std::vector<std::uint64_t> dirty;
  for (std::uint64_t block = 0; block < blocks_.size(); ++block) {
    if (blocks_[block].dirty) dirty.push_back(block);
  }
  return dirty;
}

Inode::Entry Inode::data_of(std::uint64_t block) const {
  const std::uint64_t offset = block * block_bytes;
  const std::uint64_t count = std::min<std::uint64_t>(block_bytes, bytes() - offset);
  const auto bytes = content_.all().subspan(offset, count);
  return {
      .what = What::data, .offset = offset, .count = count, .bytes = {bytes.begin(), bytes.end()}};
}

void Inode::write_back(std::uint64_t block) {
  under_way_.push_back(data_of(block));
  blocks_[block].dirty = false;
}

void Inode::fail_write_back(std::uint64_t block, bool revert) {
  blocks_[block].dirty = false;
  if (!revert) return;
  // What the device has been told of it, durable or not, is what a new read would find.
  FileImage seen = medium_;
  for (const Entry& entry : under_way_) apply(seen, entry);
  const std::uint64_t offset = block * block_bytes;
  const std::uint64_t count = std::min<std::uint64_t>(block_bytes, bytes() - offset);
  const auto view = content_.all().subspan(offset, count);
  std::memcpy(view.data(), seen.bytes.data() + offset, count);
  if (writable_maps_ > 0) std::memcpy(stores_seen_.data() + offset, view.data(), count);
}

std::uint64_t Inode::begin_direct(std::uint64_t offset, std::span<const std::byte> in) {
  if (offset + in.size() > bytes()) resize(offset + in.size());
  std::memcpy(content_.all().data() + offset, in.data(), in.size());
  if (writable_maps_ > 0) std::memcpy(stores_seen_.data() + offset, in.data(), in.size());
  allocate(offset, in.size());
  under_way_.push_back({.what = What::data,
                        .offset = offset,
                        .count = in.size(),
                        .bytes = {in.begin(), in.end()},
                        .ticket = ++tickets_,
                        .complete = false});
  return tickets_;
}

void Inode::complete(std::uint64_t ticket) {
  const auto found = std::ranges::find(under_way_, ticket, &Entry::ticket);
  if (found != under_way_.end()) found->complete = true;
}

std::uint64_t Inode::begin_flush(bool commit) {
  ++flushes_;
  for (Entry& entry : under_way_) {
    const bool covered = entry.what == What::data ? entry.complete : commit;
    if (covered && entry.flush == 0) entry.flush = flushes_;
  }
  return flushes_;
}

void Inode::end_flush(std::uint64_t number) {
  for (Entry& entry : under_way_) {
    entry.durable = entry.durable || (entry.flush != 0 && entry.flush <= number);
  }
  // What is durable stays in its place until all that comes before it is: a commit that comes later
  // must not cut off what was written after it.
  const auto rest = std::ranges::find(under_way_, false, &Entry::durable);
  std::for_each(under_way_.begin(), rest, [&](const Entry& entry) { apply(medium_, entry); });
  under_way_.erase(under_way_.begin(), rest);
}

void Inode::apply(FileImage& image, const Entry& entry) {
  if (entry.what == What::resize) {
    image.bytes.resize(entry.count);
    image.allocated.resize(blocks_of(entry.count));
    return;
  }
  const std::uint64_t end = std::min<std::uint64_t>(entry.offset + entry.count, image.bytes.size());
  if (entry.offset >= end) return;
  std::byte* const place = image.bytes.data() + entry.offset;
  if (entry.what == What::data) {
    std::memcpy(place, entry.bytes.data(), end - entry.offset);
    return;
  }
  const bool gives = entry.what == What::allocate;
  if (!gives) std::memset(place, 0, end - entry.offset);
  for (std::uint64_t block = entry.offset / block_bytes; block < blocks_of(end); ++block) {
    const bool whole = block * block_bytes >= entry.offset &&
                       (block + 1) * block_bytes <= blocks_of(end) * block_bytes;
    if (gives || whole) image.allocated[block] = gives;
  }
}

// --- Power --------------------------------------------------------------------------------------

FileImage Inode::cut(Random& random, Tearing tearing, bool everything) {
  collect_stores();
  FileImage image = medium_;
  image.kind = kind_;
  image.target = target_;
  const auto changes = std::ranges::count_if(
      under_way_, [](const Entry& entry) { return entry.what != What::data && !entry.durable; });
  // Of the journal a prefix arrives; of data whatever the device felt like.
  std::uint64_t kept = random.below(static_cast<std::uint64_t>(changes) + 1);
  if (everything) kept = static_cast<std::uint64_t>(changes);
  const auto arrive = [&](const Entry& entry) {
    if (entry.durable || everything) return apply(image, entry);
    if (entry.what == What::data) return tear(image, entry, random, tearing);
    if (kept > 0) --kept, apply(image, entry);
  };
  for (const Entry& entry : under_way_) arrive(entry);
  for (const std::uint64_t block : dirty_blocks()) arrive(data_of(block));
  return image;
}

void Inode::tear(FileImage& image, const Entry& entry, Random& random, Tearing tearing) {
  const std::uint64_t piece = tearing == Tearing::sector ? sector_bytes : block_bytes;
  enum Fate { kept, dropped, mixed };
  const Fate whole = static_cast<Fate>(random.below(3));
  for (std::uint64_t at = 0; at < entry.count; at += piece) {
    const Fate fate = whole == mixed ? static_cast<Fate>(random.below(3)) : whole;
    if (fate == dropped) continue;
    const std::uint64_t count = std::min(piece, entry.count - at);
    Entry part{.what = What::data, .offset = entry.offset + at, .count = count};
    const auto first = entry.bytes.begin() + static_cast<std::ptrdiff_t>(at);
    part.bytes.assign(first, first + static_cast<std::ptrdiff_t>(count));
    if (fate == mixed && tearing == Tearing::sector) {  // the power went while it was written
      part.bytes[random.below(count)] ^= static_cast<std::byte>(1 + random.below(255));
    } else if (fate == mixed && random.one_in(2)) {
      continue;
    }
    apply(image, part);
  }
}

}  // namespace pagealloc::os::sim
