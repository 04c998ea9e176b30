#include "harness/crash/objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "pagealloc/page/field.h"
#include "pagealloc/random.h"

namespace pagealloc::crash {

namespace {

constexpr std::uint32_t page_bytes = 4096;
constexpr std::uint32_t run_max = 3;
constexpr std::size_t objects_max = 8;
constexpr std::size_t entry_bytes = 24;  // of the directory: name, page, run, checksum
constexpr std::size_t root_directory = 0;
constexpr std::size_t root_run = 1;  // pages of it
constexpr std::size_t root_checksum = 2;
constexpr std::size_t root_count = 3;
constexpr std::size_t root_commit = 4;

/// What operation `name` does: it makes an object of its name, or drops one.
struct Step {
  std::optional<std::uint64_t> drops;
  std::uint32_t run;
};

std::vector<Step> steps_of(std::uint64_t number, std::vector<std::uint64_t>& live) {
  std::vector<Step> steps;
  for (unsigned i = 0; i < Objects::operations; ++i) {
    const std::uint64_t name = number * Objects::operations + i;
    Random random(name);
    const bool drop = live.size() >= objects_max || (!live.empty() && random.one_in(3));
    Step step{.drops = {}, .run = static_cast<std::uint32_t>(1 + random.below(run_max))};
    if (drop) {
      const auto victim = live.begin() + static_cast<std::ptrdiff_t>(random.below(live.size()));
      step.drops = *victim;
      live.erase(victim);
    } else {
      live.push_back(name);
    }
    steps.push_back(step);
  }
  return steps;
}

std::vector<std::byte> content_of(std::uint64_t name, std::uint32_t run) {
  std::vector<std::byte> content(run * page_bytes - page::header_bytes);
  for (std::size_t i = 0; i < content.size(); i += sizeof(std::uint64_t)) {
    const std::uint64_t word = (name << 32 | i) * 0x9E3779B97F4A7C15ULL;
    std::memcpy(content.data() + i, &word, sizeof word);
  }
  return content;
}

/// The objects that are there after each commit, for as many as anybody has asked for.
const std::map<std::uint64_t, std::uint32_t>& model(std::uint64_t number) {
  static std::vector<std::map<std::uint64_t, std::uint32_t>> states(1);
  static std::vector<std::uint64_t> live;
  while (states.size() <= number) {
    auto next = states.back();
    const std::uint64_t commit = states.size();
    const auto steps = steps_of(commit, live);
    for (unsigned i = 0; i < steps.size(); ++i) {
      if (steps[i].drops) {
        next.erase(*steps[i].drops);
      } else {
        next.emplace(commit * Objects::operations + i, steps[i].run);
      }
    }
    states.push_back(std::move(next));
  }
  return states[number];
}

}  // namespace

std::vector<std::byte> Objects::contents(std::uint64_t number) {
  std::vector<std::byte> all;
  for (const auto& [name, run] : model(number)) {
    const auto content = content_of(name, run);
    all.insert(all.end(), content.begin(), content.end());
  }
  return all;
}

Error Objects::wrong(PageId page, std::string cause) const {
  return Error{.code = Errc::damaged,
               .path = std::string(file_->path()),
               .page = page,
               .offset_bytes = page * page_bytes,
               .cause = std::move(cause)};
}

// --- Opening ------------------------------------------------------------------------------------

Result<void> Objects::open(const std::string& path, const Options& options) {
  Options mine = options;
  mine.create = true;
  mine.page_bytes = page_bytes;
  auto file = pagealloc::open(path, mine);
  if (!file) return std::unexpected(file.error());
  file_ = std::move(*file);
  if (file_->pages() > 0) {
    auto opened = page::Allocator::open(*file_);
    if (opened) {
      allocator_ = std::move(*opened);
      if (auto good = read_directory(); !good) return good;
      return audit();
    }
    // A file that was never finished holds nothing; any other is not to be made anew.
    if (opened.error().code != Errc::not_page_file) return std::unexpected(opened.error());
    if (auto cut = file_->resize(0); !cut) return cut;
  }
  auto made = page::Allocator::format(*file_, page::Identity{});
  if (!made) return std::unexpected(made.error());
  allocator_ = std::move(*made);
  return {};
}

Result<void> Objects::read_directory() {
  const page::Roots& roots = allocator_->roots;
  last_ = roots[root_commit];
  if (last_ == 0) return {};
  directory_ = Place{roots[root_directory], static_cast<std::uint32_t>(roots[root_run]),
                     static_cast<std::uint32_t>(roots[root_checksum])};
  const auto buffer = load(*directory_);
  if (!buffer) return std::unexpected(buffer.error());
  const std::byte* at = buffer->bytes().data() + page::header_bytes;
  for (std::uint64_t i = 0; i < roots[root_count]; ++i, at += entry_bytes) {
    objects_[page::load<std::uint64_t>(at)] = {page::load<std::uint64_t>(at + 8),
                                               page::load<std::uint32_t>(at + 16),
                                               page::load<std::uint32_t>(at + 20)};
  }
  return {};
}

/// Nothing is used twice, and nothing is lost.
Result<void> Objects::audit() const {
  std::set<PageId> used;
  for (PageId page = 0; page < page::superblocks; ++page) used.insert(page);
  for (PageId page = 0; page < allocator_->pages(); ++page) {
    if (allocator_->is_map(page)) used.insert(page);
  }
  std::vector<Place> places;
  for (const auto& [name, place] : objects_) places.push_back(place);
  if (directory_) places.push_back(*directory_);
  for (const Place& place : places) {
    for (PageId page = place.page; page < place.page + place.run; ++page) {
      if (!used.insert(page).second) {
        return std::unexpected(wrong(page, "in use twice"));
      }
    }
  }
  for (PageId page = 0; page < allocator_->pages(); ++page) {
    const auto state = allocator_->state(page);
    const bool in_use = state == page::State::used || state == page::State::inside;
    if (in_use == used.contains(page)) continue;
    return std::unexpected(
        wrong(page, in_use ? "lost: in use, and nobody's" : "free in the map, and in use"));
  }
  return {};
}

// --- Committing ---------------------------------------------------------------------------------

Result<void> Objects::commit(std::uint64_t number) {
  if (auto done = give_back(number); !done) return done;
  if (auto done = apply(number); !done) return done;
  if (auto done = write_directory(); !done) return done;
  allocator_->roots[root_commit] = number;
  if (auto done = allocator_->commit(); !done) return done;
  last_ = number;
  return {};
}

Result<void> Objects::give_back(std::uint64_t number) {
  if (number % 4 == 3) return allocator_->compact();
  if (number % 4 != 1) return {};
  for (PageId page = 0; page < allocator_->pages(); ++page) {
    if (allocator_->state(page) == page::State::free) return allocator_->punch(page, 1);
  }
  return {};
}

Result<void> Objects::apply(std::uint64_t number) {
  std::vector<std::uint64_t> live;
  for (const auto& [name, place] : objects_) live.push_back(name);
  const auto steps = steps_of(number, live);
  for (unsigned i = 0; i < steps.size(); ++i) {
    if (steps[i].drops) {
      const auto object = objects_.find(*steps[i].drops);
      if (auto freed = allocator_->free(object->second.page); !freed) return freed;
      objects_.erase(object);
      continue;
    }
    const std::uint64_t name = number * operations + i;
    const auto place = store(content_of(name, steps[i].run));
    if (!place) return std::unexpected(place.error());
    objects_[name] = *place;
  }
  return {};
}

Result<Objects::Place> Objects::store(std::span<const std::byte> content) {
  const auto run = static_cast<std::uint32_t>(
      (page::header_bytes + content.size() + page_bytes - 1) / page_bytes);
  const auto page = allocator_->allocate(run);
  if (!page) return std::unexpected(page.error());
  page::Buffer buffer(page_bytes, run);
  std::ranges::copy(content, buffer.bytes().data() + page::header_bytes);
  const page::Header header{.type = page::Type::overflow,
                            .run = run,
                            .page = *page,
                            .transaction = allocator_->transaction()};
  if (auto written = page::write(*file_, buffer, header); !written) {
    return std::unexpected(written.error());
  }
  return Place{*page, run, page::checksum_of(buffer.bytes())};
}

Result<void> Objects::write_directory() {
  std::vector<std::byte> entries(objects_.size() * entry_bytes);
  std::byte* at = entries.data();
  for (const auto& [name, place] : objects_) {
    page::store(at, name);
    page::store(at + 8, place.page);
    page::store(at + 16, place.run);
    page::store(at + 20, place.checksum);
    at += entry_bytes;
  }
  if (directory_) {
    if (auto freed = allocator_->free(directory_->page); !freed) return freed;
  }
  const auto place = store(entries);
  if (!place) return std::unexpected(place.error());
  directory_ = *place;
  allocator_->roots[root_directory] = place->page;
  allocator_->roots[root_run] = place->run;
  allocator_->roots[root_checksum] = place->checksum;
  allocator_->roots[root_count] = objects_.size();
  return {};
}

// --- Reading ------------------------------------------------------------------------------------

Result<page::Buffer> Objects::load(const Place& place) const {
  auto buffer = page::read_run(*file_, place.page, place.run, page::Type::overflow);
  if (!buffer || page::checksum_of(buffer->bytes()) == place.checksum) return buffer;
  return std::unexpected(wrong(place.page, "an older page, which a later one was to replace"));
}

Result<std::vector<std::byte>> Objects::read() {
  std::vector<std::byte> all;
  for (const auto& [name, place] : objects_) {
    const auto buffer = load(place);
    if (!buffer) return std::unexpected(buffer.error());
    const auto content = buffer->bytes().subspan(page::header_bytes);
    all.insert(all.end(), content.begin(), content.end());
  }
  return all;
}

}  // namespace pagealloc::crash
