#include "labs/04_cache/tests/cached.h"

#include <fmt/format.h>

#include <algorithm>

namespace pagealloc::labs {

namespace {

constexpr std::uint32_t page_bytes = 4096;

Bench::Setup bench_of(const std::string& impl, std::uint64_t pages) {
  return {.pages = pages, .page_bytes = page_bytes, .impl = impl};
}

Options options_of(const Bench& bench, std::uint32_t frames) {
  Options options = bench.options();
  options.depth = 32;
  options.cache.bytes = std::uint64_t{frames} * page_bytes;
  options.cache.eviction = Eviction::clock;
  options.cache.readahead_bytes = 0;
  return options;
}

/// Nothing of the lab is at work there.
void opens(Test& test, bool good, const std::string& text) {
  if (test.holds(good)) return;
  test.fail({.expected = "the file of the bench can be opened with a cache",
             .found = text,
             .cause = "the grader is broken; please report this",
             .function = {}});
}

}  // namespace

std::vector<PageId> some_pages(Random& random, std::size_t count, PageId first, PageId limit) {
  std::vector<PageId> all(limit);
  for (PageId i = 0; i < limit; ++i) all[i] = first + i;
  for (std::size_t i = 0; i < count; ++i) std::swap(all[i], all[i + random.below(limit - i)]);
  all.resize(count);
  return all;
}

std::string counted(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string tail_of(const std::string& text, std::size_t lines) {
  std::size_t at = text.size();
  for (std::size_t i = 0; i <= lines && at != std::string::npos && at > 0; ++i) {
    at = text.rfind('\n', at - 1);
  }
  if (at == std::string::npos || at == 0) return text;
  return "...\n" + text.substr(at + 1);
}

std::string text_of(std::span<const Note> notes) {
  if (notes.empty()) return {};
  std::string text;
  std::size_t under_way = 0;
  for (const Note& note : notes) {
    under_way = note.begun ? under_way + 1 : under_way - 1;
    const std::string what = note.verb == Verb::sync
                                 ? "sync"
                                 : fmt::format("{} of page {:>3}", name_of(note.verb), note.page);
    text += fmt::format("  {:<17} {}, {:>2} under way\n", what, note.begun ? "begun" : "ended",
                        under_way);
  }
  return "what the any-order engine was asked for, and did:\n" + tail_of(text);
}

std::string locked_twice(std::string_view function) {
  return fmt::format(
      "{} waits for a lock that it has: a public function of Cache, which takes the lock, called "
      "under it (Cache::publish, unpin, give_up, drop, stage). FrameTable has functions of the "
      "same names that take none, and take_frame() is called with the lock",
      function);
}

// --- A cached file ------------------------------------------------------------------------------

Cached::Cached(Test& test, const Setup& setup)
    : test_(test), engine_(engine_of(setup.impl)), bench(test, bench_of(setup.impl, setup.pages)) {
  if (setup.impl == any_order) order_from(test.random().next());
  Options options = options_of(bench, setup.frames);
  options.frames = setup.lends;
  auto opened = pagealloc::open(bench_path, options);
  opens(test, opened.has_value(), opened ? "" : opened.error().text());
  file = std::move(*opened);
  bench.kernel.clear_log();
}

Cached& Cached::kept(Test& test, const Setup& setup) {
  return *std::make_unique<Cached>(test, setup).release();
}

std::unique_ptr<PageFile> Cached::another() {
  auto other = file->another();
  opens(test_, other.has_value(), other ? "" : other.error().text());
  return std::move(*other);
}

PageRef Cached::lent(PageFile& through, PageId page) {
  auto lent = read_page(through, page);
  if (!test_.holds(lent.has_value())) {
    test_.fail({.expected = fmt::format("page {} can be read, on {}", page, engine_),
                .found = lent.error().text(),
                .cause = "no frame could be had for it, although most of the pages may go",
                .function = "Cache::take_frame",
                .evidence = bench.calls()});
  }
  return std::move(*lent);
}

void Cached::holds(std::span<const std::byte> bytes, PageId page, std::uint64_t version,
                   const std::string& when, const Blame& blame) {
  if (test_.holds(std::ranges::equal(bytes, pattern(page, version, bytes.size())))) return;
  std::string found = "bytes that were never written to it";
  if (const auto other = bench.version_of(page, bytes)) {
    found = fmt::format("version {}{}", *other, *other == 0 ? ", the bytes of the file" : "");
  }
  for (PageId other = 0; other < file->pages(); ++other) {
    const auto its = bench.version_of(other, bytes);
    if (its && other != page) found = fmt::format("version {} of page {}", *its, other);
  }
  test_.fail({.expected =
                  fmt::format("page {} holds version {}, {} (on {})", page, version, when, engine_),
              .found = found,
              .cause = blame.cause,
              .function = blame.function,
              .evidence = picture_of(page, bytes, version, std::vector<std::uint64_t>{0, 1, 2})});
}

void Cached::reads_as(PageFile& through, PageId page, std::uint64_t version,
                      const std::string& when, const Blame& blame) {
  const PageRef ref = lent(through, page);
  holds(ref.bytes(), page, version, when, blame);
}

void Cached::write(PageFile& through, PageId page, std::uint64_t version) {
  const auto written = write_page(through, page, pattern(page, version, page_bytes));
  if (test_.holds(written.has_value())) return;
  test_.fail({.expected = fmt::format("page {} can be written, on {}", page, engine_),
              .found = written.error().text(),
              .cause = "writing into the cache asks nothing of the disk and cannot fail",
              .function = "Cache::put",
              .evidence = bench.calls()});
}

void Cached::sync(const Blame& blame) {
  const auto synced = pagealloc::sync(*file);
  if (test_.holds(synced.has_value())) return;
  test_.fail({.expected = fmt::format("sync succeeds, on {}", engine_),
              .found = synced.error().text(),
              .cause = blame.cause,
              .function = blame.function,
              .evidence = bench.calls()});
}

// --- A cache alone ------------------------------------------------------------------------------

Bare::Bare(Test& test, std::uint32_t frames, std::uint64_t pages, Eviction eviction)
    : test_(test), bench(test, bench_of("direct", pages)) {
  Options options = options_of(bench, frames);
  options.kernel = &kernel;
  options.cache.eviction = eviction;
  auto opened = SharedFile::open(bench_path, options, Direct::require);
  opens(test, opened.has_value(), opened ? "" : opened.error().text());
  shared = std::move(*opened);
  auto made = cache::Cache::make(*shared);
  opens(test, made.has_value(), made ? "" : made.error().text());
  cache = std::move(*made);
  bench.kernel.clear_log();
}

Bare& Bare::kept(Test& test, std::uint32_t frames, std::uint64_t pages, Eviction eviction) {
  return *std::make_unique<Bare>(test, frames, pages, eviction).release();
}

std::span<std::byte> Bare::bytes_of(FrameId frame) const {
  return {cache->table().memory_of(frame), page_bytes};
}

bool Bare::read(PageId page) {
  const FrameId there = cache->pin(page);
  if (there != no_frame) {
    uses_.push_back({there, page});
    cache->note(uses_);
    cache->unpin(there);
    return true;
  }
  cache->unpin(hold(page));
  return false;
}

FrameId Bare::hold(PageId page) {
  const FrameId there = cache->pin(page);
  if (there != no_frame) return there;
  const auto miss = cache->miss(page, load_, uses_);
  if (miss.kind == cache::Cache::Miss::Kind::found) return miss.frame;
  if (miss.kind != cache::Cache::Miss::Kind::fresh) {
    test_.fail({.expected = fmt::format("a frame for page {}", page),
                .found = "no frame",
                .cause = "none of the frames was free, and the policy gave none up although most "
                         "pages may go",
                .function = "Cache::take_frame",
                .evidence = picture()});
  }
  std::ranges::copy(pattern(page, 0, page_bytes), bytes_of(miss.frame).begin());
  cache->table().hold(miss.frame);
  cache->publish(std::span(&miss.frame, 1));
  return miss.frame;
}

FrameId Bare::ahead(PageId page) {
  std::vector<FrameId> claimed;
  (void)cache->claim_ahead(page, 1, load_, claimed, uses_);
  const FrameId frame = claimed.front();
  std::ranges::copy(pattern(page, 0, page_bytes), bytes_of(frame).begin());
  cache->publish(claimed);
  return frame;
}

FrameId Bare::write(PageId page, std::uint64_t version, bool dirty) {
  const FrameId frame = stage();
  if (frame == no_frame) {
    test_.fail({.expected = fmt::format("a frame for the new bytes of page {}", page),
                .found = "no frame",
                .cause = "none of the frames was free, and the policy gave none up although most "
                         "pages may go",
                .function = "Cache::take_frame",
                .evidence = picture()});
  }
  std::ranges::copy(pattern(page, version, page_bytes), bytes_of(frame).begin());
  cache->put(frame, page, dirty, uses_);
  return frame;
}

std::vector<FrameId> Bare::stage_all() {
  std::vector<FrameId> all;
  for (FrameId frame = stage(); frame != no_frame && all.size() <= cache->frames();
       frame = stage()) {
    all.push_back(frame);
  }
  return all;
}

std::string Bare::picture() const {
  cache::FrameTable& table = cache->table();
  std::string text;
  for (FrameId frame = 0; frame < cache->frames(); ++frame) {
    const PageId page = table.page_of(frame);
    std::string what = table.detached(frame)
                           ? "claimed: free, or staged"
                           : fmt::format("page {}, claimed: nobody can read it", page);
    if (!table.claimed(frame)) {
      const auto version = bench.version_of(page, bytes_of(frame));
      what = fmt::format("page {}{}", page, version ? fmt::format(", version {}", *version) : "");
      if (table.detached(frame)) {
        table.hold(frame);  // whether that is the only hold is told when it is given back
        what = fmt::format(
            "was page {}, detached, {}", page,
            table.unpin(frame) ? "held by nobody, and nobody has reclaimed it" : "still held");
      }
      if (!table.detached(frame)) what += table.idle(frame) ? "" : ", held";
      if (table.find(page) == frame && cache->any_unwritten(page, 1)) what += ", page is dirty";
    }
    text += fmt::format("frame {:>3}  {}\n", frame, what);
  }
  return text;
}

}  // namespace pagealloc::labs
