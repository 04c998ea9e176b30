// Task 3: a page that is written.
#include <fmt/format.h>

#include <algorithm>

#include "labs/04_cache/tests/cached.h"
#include "labs/04_cache/tests/tests.h"

namespace pagealloc::labs {

using os::Call;

namespace {

const Blame lost_update{
    "an update was lost: the page was in the cache already, and its older bytes were kept",
    "Cache::put"};
const Blame not_in_its_place{
    "the frame with the new bytes did not take the page's place: it must enter the table and be "
    "published",
    "Cache::put"};
const Blame never_published{
    "a frame that has entered the table is found there: it must be published as well, or whoever "
    "finds it waits for bytes that nobody is reading",
    "Cache::put"};

/// Nothing was read from the disk since the log was cleared.
void not_read_again(Test& t, const Cached& cached, PageId page) {
  const std::size_t reads = cached.bench.kernel.count(Call::preadv);
  if (t.holds(reads == 0)) return;
  t.fail({.expected = fmt::format("page {} is in the cache after it was written (on {})", page,
                                  cached.engine()),
          .found = fmt::format("{} reads from the disk", reads),
          .cause = not_in_its_place.cause,
          .function = not_in_its_place.function,
          .evidence = cached.bench.calls()});
}

}  // namespace

namespace {

void published_and_found(Test& t) {
  Bare& bare = Bare::kept(t, 24);
  const PageId page = t.random().below(400);
  const FrameId frame = bare.write(page, 1);
  const FrameId found = bare.cache->table().find(page);
  const bool readable = !bare.cache->table().claimed(frame);
  if (t.holds(found == frame && readable)) return;
  const Blame& blame = found == frame ? never_published : not_in_its_place;
  t.fail({.expected = fmt::format("page {} can be read in frame {}, with which put() was called",
                                  page, frame),
          .found = found == no_frame ? "it is in no frame"
                   : found != frame  ? fmt::format("it is found in frame {}", found)
                                     : "it is found there, and the frame is still claimed",
          .cause = blame.cause,
          .function = blame.function,
          .evidence = bare.picture()});
}

}  // namespace

void written_is_read(Test& t) {
  expect_trouble(t, never_published);
  t.expect_trouble(locked_twice("put()"));
  published_and_found(t);
  for (const char* impl : {"direct", any_order}) {
    const auto pages = some_pages(t.random(), 3, 0, 100);
    {
      Cached& cached = Cached::kept(t, {.impl = impl});
      cached.write(pages[0], 1);
      cached.reads_as(pages[0], 1, "written when it was in no frame", not_in_its_place);
      not_read_again(t, cached, pages[0]);
    }
    {
      Cached& cached = Cached::kept(t, {.impl = impl});
      cached.reads_as(pages[1], 0, "before it is written", not_in_its_place);
      cached.bench.kernel.clear_log();
      cached.write(pages[1], 1);
      cached.reads_as(pages[1], 1, "written after it was read", lost_update);
      not_read_again(t, cached, pages[1]);
    }
    Cached& cached = Cached::kept(t, {.impl = impl});
    PageFile& other = *cached.another().release();
    cached.reads_as(pages[2], 0, "before it is written", not_in_its_place);
    cached.bench.kernel.clear_log();
    cached.write(pages[2], 1);
    cached.reads_as(other, pages[2], 1, "read by another handle", lost_update);
    not_read_again(t, cached, pages[2]);
  }
}

void reader_keeps_his_bytes(Test& t) {
  const Blame copied{
      "the bytes of a page changed while somebody was reading it: the new ones were copied into "
      "the "
      "frame that was there. A write brings a frame of its own, because readers and the write-back "
      "read frames without a lock",
      "Cache::put"};
  expect_trouble(
      t, {"the frame that a reader holds stays his until he gives it back: put() detaches it, and "
          "reclaims it only if detach() says that it has ended",
          "Cache::put"});
  for (const char* impl : {"direct", any_order}) {
    Cached& cached = Cached::kept(t, {.impl = impl});
    PageFile& other = *cached.another().release();
    const PageId page = t.random().below(100);
    PageRef before = cached.lent(*cached.file, page);
    cached.write(other, page, 1);
    cached.holds(before.bytes(), page, 0, "in the frame that was lent before the write", copied);
    const PageRef after = cached.lent(other, page);
    cached.holds(after.bytes(), page, 1, "read after the write", lost_update);
    if (!t.holds(before.bytes().data() != after.bytes().data())) {
      t.fail({.expected = "two frames: one for the reader before, one for the reader after",
              .found = "the same frame",
              .cause = copied.cause,
              .function = copied.function});
    }
    for (PageId each = 0; each < 100; ++each) {
      if (each != page) (void)cached.lent(other, each);
    }
    cached.holds(before.bytes(), page, 0, "still lent, after 99 other pages were read", copied);
    (void)before.release();
  }
}

// --- Dirty --------------------------------------------------------------------------------------

namespace {

const Blame evicted_unwritten{
    "a dirty page was given up before it was written to the file: the frame was the only place "
    "where its bytes were",
    "Cache::take_frame"};

const Blame two_dirty{
    "a page had two dirty frames after it was written twice; only one of them is the "
    "page: the old one is not dirty any more",
    "Cache::put"};

void dirty_stays_on(Test& t, const char* impl) {
  Cached& cached = Cached::kept(t, {.impl = impl, .frames = 64, .pages = 300});
  const auto order = some_pages(t.random(), 300, 0, 300);
  const std::span<const PageId> dirty = std::span(order).first(16);
  for (const PageId page : dirty) cached.write(page, 1);
  expect_trouble(t, two_dirty);
  for (const PageId page : dirty) cached.write(page, 2);
  expect_trouble(t, evicted_unwritten);
  for (int round = 0; round < 2; ++round) {
    for (const PageId page : std::span(order).subspan(16)) {
      cached.reads_as(page, 0, "read while 16 other pages are dirty", evicted_unwritten);
    }
  }
  const std::uint64_t misses = cached.counters().misses;
  for (const PageId page : dirty) {
    cached.reads_as(page, 2, "after 568 reads of other pages, and no sync", evicted_unwritten);
  }
  const CacheCounters counters = cached.counters();
  if (!t.holds(counters.misses == misses)) {
    t.fail(
        {.expected = fmt::format("16 dirty pages are in the cache (on {})", cached.engine()),
         .found = fmt::format("{} of them had to be read from the disk", counters.misses - misses),
         .cause = evicted_unwritten.cause,
         .function = evicted_unwritten.function});
  }
  const std::size_t writes = cached.bench.kernel.count(Call::pwritev);
  if (!t.holds(writes == 0 && counters.written_back == 0)) {
    t.fail(
        {.expected = "nothing is written: a quarter of the frames may be dirty, and nobody synced",
         .found = fmt::format("{} writes, {} pages counted as written back", writes,
                              counters.written_back),
         .cause = "more frames are marked dirty than pages are dirty",
         .function = "Cache::put",
         .evidence = tail_of(cached.bench.calls(), 10)});
  }
}

}  // namespace

namespace {

/// What put() says of a page, to those who write back.
void check_marked(Test& t, Bare& bare, PageId page, std::uint32_t expected,
                  const std::string& when) {
  const std::uint32_t dirty = bare.cache->dirty();
  const bool its = bare.cache->any_unwritten(page, 1);
  if (t.holds(dirty == expected && its == (expected > 0))) return;
  const std::string found =
      dirty == expected ? "another page is" : fmt::format("{} dirty", counted(dirty, "page"));
  t.fail(
      {.expected = fmt::format("page {} is {}dirty, {}, and no other", page,
                               expected > 0 ? "" : "not ", when),
       .found = found,
       .cause = dirty == expected
                    ? "set_dirty() asks the table which page the frame is in: it comes after "
                      "enter(), or the frame is marked under the page that it held before"
                    : "put() says of the new frame whether it is dirty, and of the old one that it "
                      "is not any more: a page that is not marked goes without having been written",
       .function = "Cache::put",
       .evidence = bare.picture()});
}

void marked_as_said(Test& t) {
  Bare& bare = Bare::kept(t, 24);
  const PageId page = 1 + t.random().below(300);
  (void)bare.write(page, 1);
  check_marked(t, bare, page, 1, "after it was put dirty");
  expect_trouble(t, two_dirty);
  (void)bare.write(page, 2);
  check_marked(t, bare, page, 1, "after it was put dirty twice");
  (void)bare.write(page, 3, false);
  check_marked(t, bare, page, 0, "after it was put as written through");
}

}  // namespace

namespace {

/// A frame is asked for when all are in use, and the hand stands at a dirty one.
void refused_and_not_claimed(Test& t) {
  constexpr std::uint32_t frames = 24;
  Bare& bare = Bare::kept(t, frames);
  const auto pages = some_pages(t.random(), frames, 0, 400);
  const FrameId dirty = bare.write(pages[0], 1);
  for (const PageId page : std::span(pages).subspan(1)) (void)bare.read(page);
  (void)bare.stage();
  const bool there = bare.cache->table().find(pages[0]) == dirty;
  const bool claimed = bare.cache->table().claimed(dirty);
  if (t.holds(there && !claimed)) return;
  Blame blame = evicted_unwritten;
  if (there) {
    blame.cause =
        "the dirty frame was claimed and then refused: it stays claimed, so nobody can read it, "
        "and nobody gives it back. claim() takes; dirty_.contains() only asks, and comes first";
  }
  t.fail({.expected = fmt::format("page {} is dirty and can be read, in frame {}, after a frame "
                                  "was taken for another page",
                                  pages[0], dirty),
          .found = there ? "its frame is claimed" : "it is not in that frame any more",
          .cause = blame.cause,
          .function = blame.function,
          .evidence = bare.picture()});
}

}  // namespace

void dirty_does_not_go(Test& t) {
  marked_as_said(t);
  expect_trouble(t, evicted_unwritten);
  refused_and_not_claimed(t);
  for (const char* impl : {"direct", any_order}) dirty_stays_on(t, impl);
}

namespace {

void check_evictions(Test& t, const Cached& cached, std::uint64_t most, const std::string& expected,
                     const std::string& cause) {
  const std::uint64_t found = cached.counters().evictions;
  if (t.holds(found <= most)) return;
  t.fail({.expected = fmt::format("{} (on {})", expected, cached.engine()),
          .found = counted(found, "eviction"),
          .cause = cause,
          .function = "Cache::put"});
}

void check_ahead(Test& t, const Cached& cached, const std::string& expected,
                 const std::string& cause) {
  const CacheCounters counters = cached.counters();
  if (t.holds(counters.ahead_used == 0 && counters.ahead_wasted == 8)) return;
  t.fail({.expected = expected,
          .found = fmt::format("{} were for nothing, {} were used", counters.ahead_wasted,
                               counters.ahead_used),
          .cause = cause,
          .function = "Cache::put"});
}

/// What was read ahead and then written before anybody read it.
void come_back_without_marks(Test& t) {
  Cached& cached = Cached::kept(t, {.frames = 64, .pages = 200});
  const PageId first = t.random().below(20);
  (void)prefetch(*cached.file, first, 16);
  for (PageId page = first; page < first + 8; ++page) cached.write(page, 1);
  check_ahead(t, cached, "8 of 16 pages read ahead were for nothing: they were written, not read",
              "what was read ahead and not asked for (ahead_[old].unused) is counted in "
              "ahead_wasted when a write takes its place");
  // Each frame that was free gets a page, and all that were put or read now are read twice.
  for (int round = 0; round < 2; ++round) {
    for (PageId page = first; page < first + 8; ++page) (void)cached.lent(*cached.file, page);
    for (PageId page = 100; page < 148; ++page) (void)cached.lent(*cached.file, page);
  }
  // The policy is told of so many hits at once, at most.
  for (int hits = 0; hits < 64; ++hits) (void)cached.lent(*cached.file, 100);
  check_ahead(t, cached,
              "8 of 16 pages read ahead were for nothing, after 48 others were read twice",
              "the old frame came back with its mark (ahead_[old].unused): the first use of its "
              "next page is taken for that of a page that was read ahead");
}

}  // namespace

void frames_come_back(Test& t) {
  const std::string leak =
      "the frame that the page was in before was detached, and nobody reclaimed it: each write of "
      "a "
      "page that is there loses one frame for ever. detach() says whether it has ended";
  expect_trouble(
      t, {"a frame must be reclaimed once: by put() if it ended there, by the last reader if "
          "it was held",
          "Cache::put"});
  for (const char* impl : {"direct", any_order}) {
    Cached& cached = Cached::kept(t, {.impl = impl, .frames = 64});
    const auto order = some_pages(t.random(), 65, 0, 100);
    const PageId page = order[0];
    for (std::uint64_t version = 1; version <= 40; ++version) cached.write(page, version);
    for (const PageId other : std::span(order).subspan(1, 63)) {
      (void)cached.lent(*cached.file, other);
    }
    check_evictions(
        t, cached, 0,
        fmt::format("no eviction: page {} was written 40 times, 63 pages were read, and "
                    "there are 64 frames",
                    page),
        leak);
    {
      const PageRef lent = cached.lent(*cached.file, page);
      cached.write(page, 41);
    }
    (void)cached.lent(*cached.file, order[64]);
    check_evictions(
        t, cached, 1,
        "1 eviction, for the write: the frame that was lent meanwhile has come back since", leak);
  }
  come_back_without_marks(t);
}

}  // namespace pagealloc::labs
