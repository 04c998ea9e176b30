// What of a file is on its way to the medium, and what is left of it when the power goes.
#include <algorithm>
#include <cstring>

#include "pagealloc/os/sim/inode.h"

namespace pagealloc::os::sim {

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

/// A write goes to the device, which may do something else with it.
void Inode::begin(Entry entry, Mishap mishap) {
  for (std::uint64_t block = entry.offset / block_bytes;
       block < blocks_of(entry.offset + entry.count); ++block) {
    unreadable_.erase(block);
  }
  // The neighbour is where it harms most: there lies what belongs to the same commit.
  if (mishap == Mishap::misdirected) entry.offset ^= block_bytes;
  entry.lost = mishap == Mishap::lost;
  differs_ = differs_ || mishap != Mishap::none;
  under_way_.push_back(std::move(entry));
}

void Inode::write_back(std::uint64_t block, Mishap mishap) {
  begin(data_of(block), mishap);
  blocks_[block].dirty = false;
}

FileImage Inode::seen_by_device() const {
  FileImage seen = medium_;
  for (const Entry& entry : under_way_) apply(seen, entry);
  return seen;
}

void Inode::fail_write_back(std::uint64_t block, bool revert) {
  blocks_[block].dirty = false;
  differs_ = true;
  if (!revert) return;
  const FileImage seen = seen_by_device();
  const std::uint64_t offset = block * block_bytes;
  const std::uint64_t count = std::min<std::uint64_t>(block_bytes, bytes() - offset);
  const auto view = content_.all().subspan(offset, count);
  std::memcpy(view.data(), seen.bytes.data() + offset, count);
  if (writable_maps_ > 0) std::memcpy(stores_seen_.data() + offset, view.data(), count);
}

std::uint64_t Inode::begin_direct(std::uint64_t offset, std::span<const std::byte> in,
                                  Mishap mishap) {
  if (offset + in.size() > bytes()) resize(offset + in.size());
  std::memcpy(content_.all().data() + offset, in.data(), in.size());
  if (writable_maps_ > 0) std::memcpy(stores_seen_.data() + offset, in.data(), in.size());
  allocate(offset, in.size());
  begin({.what = What::data,
         .offset = offset,
         .count = in.size(),
         .bytes = {in.begin(), in.end()},
         .ticket = ++tickets_,
         .complete = false},
        mishap);
  return tickets_;
}

void Inode::take_bytes(std::uint64_t ticket, std::span<const iovec> from) {
  const auto entry = std::ranges::find(under_way_, ticket, &Entry::ticket);
  if (entry == under_way_.end()) return;
  std::size_t done = 0;
  for (const iovec& part : from) {
    const std::size_t count = std::min(part.iov_len, entry->bytes.size() - done);
    std::memcpy(entry->bytes.data() + done, part.iov_base, count);
    done += count;
  }
  // What a misplaced or lost write was to change has its new bytes in the page cache only.
  if (!differs_)
    std::ranges::copy(entry->bytes,
                      content_.all().begin() + static_cast<std::ptrdiff_t>(entry->offset));
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

std::uint64_t Inode::end_flush(std::uint64_t number, bool commit) {
  std::uint64_t durable_bytes = 0;
  for (Entry& entry : under_way_) {
    // A flush of another file covers bytes of this one, and not its journal.
    if (entry.durable || entry.flush == 0 || entry.flush > number) continue;
    if (entry.what != What::data && !commit) continue;
    entry.durable = true;
    if (entry.what == What::data) durable_bytes += entry.count;
  }
  // What is durable stays in its place until all that comes before it is: a commit that comes later
  // must not cut off what was written after it.
  const auto rest = std::ranges::find(under_way_, false, &Entry::durable);
  std::for_each(under_way_.begin(), rest, [&](const Entry& entry) { apply(medium_, entry); });
  under_way_.erase(under_way_.begin(), rest);
  return durable_bytes;
}

void Inode::lose_device_cache(Random& random) {
  std::erase_if(under_way_, [&](const Entry& entry) {
    return entry.what == What::data && entry.complete && !entry.durable && random.one_in(2);
  });
  differs_ = true;
}

// --- Damage -------------------------------------------------------------------------------------

void Inode::rot(Random& random) {
  medium_.bytes[random.below(medium_.bytes.size())] ^=
      static_cast<std::byte>(1U << random.below(8));
  differs_ = true;
}

bool Inode::readable(std::uint64_t offset, std::uint64_t count) const {
  if (count == 0) return true;
  const auto first = unreadable_.lower_bound(offset / block_bytes);
  return first == unreadable_.end() || *first >= blocks_of(offset + count);
}

// --- Arriving on the medium ---------------------------------------------------------------------

void Inode::apply(FileImage& image, const Entry& entry) {
  if (entry.what == What::data) return apply_data(image, entry);
  if (entry.what == What::resize) {
    image.bytes.resize(entry.count);
    image.allocated.resize(blocks_of(entry.count));
    return;
  }
  const std::uint64_t end = std::min<std::uint64_t>(entry.offset + entry.count, image.bytes.size());
  if (entry.offset >= end) return;
  const bool gives = entry.what == What::allocate;
  if (!gives) std::memset(image.bytes.data() + entry.offset, 0, end - entry.offset);
  for (std::uint64_t block = entry.offset / block_bytes; block < blocks_of(end); ++block) {
    const bool whole = block * block_bytes >= entry.offset &&
                       ((block + 1) * block_bytes <= end || end == image.bytes.size());
    if (gives || whole) image.allocated[block] = gives;
  }
}

/// Bytes for which no block is on the medium are written nowhere: who reads there finds zeros.
void Inode::apply_data(FileImage& image, const Entry& entry) {
  if (entry.lost) return;
  const std::uint64_t end = std::min<std::uint64_t>(entry.offset + entry.count, image.bytes.size());
  for (std::uint64_t at = entry.offset; at < end;) {
    const std::uint64_t next = std::min(end, (at / block_bytes + 1) * block_bytes);
    if (image.allocated[at / block_bytes]) {
      std::memcpy(image.bytes.data() + at, entry.bytes.data() + (at - entry.offset), next - at);
    }
    at = next;
  }
}

// --- Power --------------------------------------------------------------------------------------

FileImage Inode::cut(Random& random, Tearing tearing, bool everything, std::vector<Fate>* fates) {
  collect_stores();
  FileImage image = medium_;
  image.kind = kind_;
  image.target = target_;
  image.unreadable = unreadable_;
  const auto changes = std::ranges::count_if(
      under_way_, [](const Entry& entry) { return entry.what != What::data && !entry.durable; });
  // Of the journal a prefix arrives; of data whatever the device felt like.
  std::uint64_t kept = random.below(static_cast<std::uint64_t>(changes) + 1);
  if (everything) kept = static_cast<std::uint64_t>(changes);
  const auto arrive = [&](const Entry& entry) {
    if (entry.durable) return apply(image, entry);
    const char* fate = "kept";
    if (entry.what == What::data && !everything) {
      fate = tear(image, entry, random, tearing);
    } else if (entry.what == What::data || kept > 0) {
      apply(image, entry);
      if (entry.what != What::data) --kept;
    } else {
      fate = "dropped";
    }
    constexpr const char* names[] = {"write", "resize", "punch", "allocate"};
    const char* const what = names[static_cast<std::size_t>(entry.what)];
    if (fates != nullptr) fates->push_back({what, fate, number_, entry.offset, entry.count});
  };
  for (const Entry& entry : under_way_) arrive(entry);
  for (const std::uint64_t block : dirty_blocks()) arrive(data_of(block));
  return image;
}

const char* Inode::tear(FileImage& image, const Entry& entry, Random& random, Tearing tearing) {
  const std::uint64_t piece = tearing == Tearing::sector ? sector_bytes : block_bytes;
  enum Draw { kept, dropped, mixed };
  const Draw whole = static_cast<Draw>(random.below(3));
  if (whole == dropped) return "dropped";
  for (std::uint64_t at = 0; at < entry.count; at += piece) {
    const Draw fate = whole == mixed ? static_cast<Draw>(random.below(3)) : whole;
    std::uint64_t count = std::min(piece, entry.count - at);
    if (fate == dropped || (fate == mixed && tearing == Tearing::none && random.one_in(2))) {
      continue;
    }
    Entry part{.what = What::data, .offset = entry.offset + at, .count = 0, .lost = entry.lost};
    const auto first = entry.bytes.begin() + static_cast<std::ptrdiff_t>(at);
    part.bytes.assign(first, first + static_cast<std::ptrdiff_t>(count));
    if (fate == mixed && tearing == Tearing::sector) {
      // The power went while it was written: it ends in the middle, or a byte of it is wrong. At
      // words, so that the same damage comes again and is not counted as another state.
      const std::uint64_t place = random.below(count / 8) * 8;
      if (random.one_in(2)) {
        count = place;
      } else {
        part.bytes[place] = ~part.bytes[place];
      }
    }
    part.count = count;
    apply(image, part);
  }
  return whole == mixed ? "torn" : "kept";
}

/// What a cut may still take of the data, in the order of issue.
std::vector<Inode::Entry> Inode::not_durable() {
  collect_stores();
  std::vector<Entry> writes;
  for (const Entry& entry : under_way_) {
    if (entry.what == What::data && !entry.durable && !entry.lost) writes.push_back(entry);
  }
  for (const std::uint64_t block : dirty_blocks()) writes.push_back(data_of(block));
  return writes;
}

void Inode::enumerate_tears(const std::function<void(const FileImage&)>& judge) {
  constexpr std::uint64_t word_bytes = 8;
  const std::vector<Entry> writes = not_durable();
  for (std::size_t torn = 0; torn < writes.size(); ++torn) {
    FileImage image = medium_;
    for (const Entry& entry : under_way_) {
      if (entry.what != What::data || entry.durable) apply(image, entry);
    }
    for (std::size_t i = 0; i < writes.size(); ++i) {
      if (i != torn) apply(image, writes[i]);
    }
    judge(image);
    const Entry& entry = writes[torn];
    for (std::uint64_t at = 0; at < entry.count; at += word_bytes) {
      const std::uint64_t count = std::min(word_bytes, entry.count - at);
      const auto first = entry.bytes.begin() + static_cast<std::ptrdiff_t>(at);
      apply(image, {.what = What::data,
                    .offset = entry.offset + at,
                    .count = count,
                    .bytes = {first, first + static_cast<std::ptrdiff_t>(count)}});
      judge(image);
    }
  }
}

std::shared_ptr<Inode> Inode::survivor() {
  collect_stores();
  auto copy = std::make_shared<Inode>(number_, medium_);
  const auto now = content_.all();
  copy->kind_ = kind_;
  copy->target_ = target_;
  copy->content_.resize(now.size());
  if (!now.empty()) std::memcpy(copy->content_.all().data(), now.data(), now.size());
  copy->blocks_ = blocks_;
  copy->under_way_ = under_way_;
  for (Entry& entry : copy->under_way_) {
    entry.complete = true;
    if (!entry.durable) entry.flush = 0;  // nobody waits for that flush any more
  }
  copy->tickets_ = tickets_;
  copy->flushes_ = flushes_;
  copy->errors_ = errors_;
  copy->told_ = told_;
  copy->unreadable_ = unreadable_;
  copy->differs_ = differs_;
  return copy;
}

}  // namespace pagealloc::os::sim
