// Task 5: how dirty pages go to the file.
#include <fmt/format.h>

#include <algorithm>

#include "labs/04_cache/tests/cached.h"
#include "labs/04_cache/tests/tests.h"
#include "pagealloc/cache/write_back.h"

namespace pagealloc::labs {

using os::Call;

namespace {

const Blame run_succeeds{
    "no write failed: the outcome of a run is that of its first failure, and "
    "forgets what was before",
    "WriteBack::run"};

/// Writes these, syncs, and it took so many writes of so many bytes in all.
void check_sync(Test& t, Cached& cached, std::span<const PageId> pages, std::size_t writes,
                const std::string& which) {
  for (const PageId page : pages) cached.write(page, 1);
  cached.bench.kernel.clear_log();
  cached.sync(run_succeeds);
  const auto calls = cached.bench.calls_of(Call::pwritev);
  std::uint64_t bytes = 0;
  for (const auto& call : calls) bytes += call.bytes;
  if (!t.holds(calls.size() == writes && bytes == pages.size() * 4096)) {
    Blame blame{
        "pages that do not follow each other were put into one transfer, or some were not "
        "written",
        "neighbours"};
    if (bytes > pages.size() * 4096) {
      blame = {
          "a transfer moved more than its pages: begin() takes away the pieces that the batch had "
          "the last time, before it names its own",
          "WriteBack::begin"};
    } else if (std::ranges::any_of(calls,
                                   [](const auto& call) { return call.bytes > 64 * 4096; })) {
      blame.cause =
          "a transfer is longer than 64 pages (256 KiB): neighbours() counts to `max` and no "
          "further";
    } else if (calls.size() > writes) {
      blame.cause =
          "pages that follow each other in the file go in one transfer, up to 64 of them "
          "(256 KiB)";
    }
    t.fail({.expected = fmt::format("{} of {} bytes together, for {}", counted(writes, "write"),
                                    pages.size() * 4096, which),
            .found = fmt::format("{} of {} bytes together", counted(calls.size(), "write"), bytes),
            .cause = blame.cause,
            .function = blame.function,
            .evidence = cached.bench.calls()});
  }
  const bool ordered =
      std::ranges::is_sorted(calls, {}, [](const auto& call) { return call.offset; });
  if (!t.holds(ordered && cached.bench.kernel.count(Call::fdatasync) == 1 &&
               cached.bench.kernel.count(Call::preadv) == 0)) {
    t.fail({.expected = "writes at rising offsets, then one fdatasync, and no reads",
            .found = "other calls, or another order",
            .cause = "the batch is in rising order already; it is written from the front",
            .function = "WriteBack::run",
            .evidence = cached.bench.calls()});
  }
  cached.bench.kernel.clear_log();
  cached.sync(run_succeeds);
  if (!t.holds(cached.bench.kernel.count(Call::pwritev) == 0 &&
               cached.bench.kernel.count(Call::fdatasync) == 1)) {
    t.fail({.expected = "a second sync writes nothing, and is an fdatasync all the same",
            .found = "other calls",
            .cause = "what was written is clean; the promise of a sync is the same",
            .function = "WriteBack::written",
            .evidence = cached.bench.calls()});
  }
}

/// What a power cut would leave, of all pages of the file.
void check_medium(Cached& cached, std::span<const PageId> written) {
  const auto images = cached.bench.cuts(1, os::sim::Tearing::none);
  std::vector<std::uint64_t> version(cached.file->pages());
  for (const PageId page : written) version[page] = 1;
  for (PageId page = 0; page < version.size(); ++page) {
    const auto found = cached.bench.page_on(images.front(), page);
    cached.holds(
        found, page, version[page], "on the medium, after the sync",
        {"pages that do not follow each other were put into one transfer: after a gap each "
         "page lands in its neighbour's place",
         "neighbours"});
  }
}

void one_gap(Test& t, bool gap) {
  Cached cached(t, {.frames = 1024, .pages = 400});
  const PageId first = 50 + t.random().below(200);
  auto pages = some_pages(t.random(), 40, first, 40);
  const PageId missing = first + 10 + t.random().below(20);
  if (gap) std::erase(pages, missing);
  check_sync(t, cached, pages, gap ? 2 : 1,
             gap ? fmt::format("pages {} ... {} without {}", first, first + 39, missing)
                 : fmt::format("pages {} ... {}", first, first + 39));
  check_medium(cached, pages);
}

void long_row(Test& t) {
  Cached cached(t, {.frames = 1024, .pages = 400});
  const PageId first = 50 + t.random().below(200);
  const auto pages = some_pages(t.random(), 130, first, 130);
  check_sync(t, cached, pages, 3, fmt::format("130 pages in a row, from {} on", first));
  check_medium(cached, pages);
}

/// The same page again and again is one page.
void one_page(Test& t) {
  Cached cached(t, {.frames = 1024, .pages = 400});
  const PageId page = t.random().below(400);
  for (int i = 0; i < 39; ++i) cached.write(page, 1);
  const std::vector<PageId> pages{page};
  check_sync(t, cached, pages, 1, fmt::format("page {}, written 40 times", page));
  check_medium(cached, pages);
}

/// Asked for ten, it writes ten.
void no_more_than_asked(Test& t) {
  Bare& bare = Bare::kept(t, 1024);
  OneByOne engine(bare.shared);
  cache::WriteBack write_back(*bare.cache, engine);
  for (const PageId page : some_pages(t.random(), 40, 100, 40)) (void)bare.write(page, 1);
  const auto outcome = write_back.run(10);
  const CacheCounters counters = bare.cache->counters();
  if (!t.holds(outcome.result == Errc::ok && counters.written_back == 10 &&
               bare.cache->dirty() == 30)) {
    t.fail({.expected = "run(10) of 40 dirty pages writes 10, and 30 stay dirty",
            .found = fmt::format("{}: {} pages written, {} dirty", name_of(outcome.result),
                                 counters.written_back, bare.cache->dirty()),
            .cause = "at most pages_max: whoever waits for the turn waits for all that is written",
            .function = "WriteBack::run",
            .evidence = bare.bench.calls()});
  }
}

/// Run after run, and there is nothing to do.
void nothing_to_write(Test& t) {
  Bare& bare = Bare::kept(t, 24);
  OneByOne engine(bare.shared);
  cache::WriteBack write_back(*bare.cache, engine);
  expect_trouble(t, {"a run that found nothing dirty did not give the turn back, and the next one "
                     "waits for it",
                     "WriteBack::run"});
  for (int run = 0; run < 3; ++run) {
    const auto outcome = write_back.run(SIZE_MAX);
    if (t.holds(outcome.result == Errc::ok && bare.bench.kernel.log().empty())) continue;
    t.fail({.expected = "a run that finds nothing dirty makes no call, and is ok",
            .found = std::string(name_of(outcome.result)),
            .cause = run_succeeds.cause,
            .function = run_succeeds.function,
            .evidence = bare.bench.calls()});
  }
}

}  // namespace

void neighbours_in_one(Test& t) {
  expect_trouble(t, {"run() did not come back: every run gives the turn back, and begins each page "
                     "that it took once",
                     "WriteBack::run"});
  one_gap(t, false);
  one_gap(t, true);
  long_row(t);
  no_more_than_asked(t);
  one_page(t);
  nothing_to_write(t);
}

// --- Many at a time -----------------------------------------------------------------------------

namespace {

/// What the any-order engine has noted of writes.
struct Flight {
  std::size_t most = 0;          // under way at one time
  std::size_t before_first = 0;  // begun before the first had ended
  std::size_t writes = 0;
  std::size_t ended = 0;
};

Flight flight_of(std::span<const Note> notes) {
  Flight flight;
  for (const Note& note : notes) {
    if (note.verb != Verb::write) continue;
    ++(note.begun ? flight.writes : flight.ended);
    const std::size_t under_way = flight.writes - flight.ended;
    flight.most = std::max(flight.most, under_way);
    if (flight.ended == 0) flight.before_first = under_way;
  }
  return flight;
}

}  // namespace

void sixteen_at_a_time(Test& t) {
  Cached cached(t, {.impl = any_order, .frames = 256, .pages = 200});
  const PageId first = t.random().below(50);
  for (const PageId i : some_pages(t.random(), 48, 0, 48)) cached.write(first + 2 * i, 1);
  std::vector<Note> notes;
  note_in(&notes);
  cached.sync(run_succeeds);
  note_in(nullptr);
  const Flight flight = flight_of(notes);
  const std::string evidence = text_of(notes);
  if (!t.holds(flight.writes == 48 && flight.ended == 48)) {
    t.fail({.expected =
                "48 writes, for no two of the pages are neighbours; all have ended when the "
                "sync says ok",
            .found = fmt::format("{} begun, {} ended", flight.writes, flight.ended),
            .cause = flight.writes == 48 ? "run() returned while writes were under way: it waits "
                                           "for all that it began"
                                         : "every page that was taken is begun, once",
            .function = "WriteBack::run",
            .evidence = evidence});
  }
  if (!t.holds(flight.most == 16 && flight.before_first == 16)) {
    t.fail({.expected = "16 writes under way at one time, and 16 begun before the first has ended",
            .found = fmt::format("at most {} under way, {} begun before the first had ended",
                                 flight.most, flight.before_first),
            .cause = flight.most < 16 ? "a write was waited for although another batch was idle: a "
                                        "disk that does 64 things at a time would have less to do "
                                        "than it could"
                                      : "more than 16 were begun: that many batches there are not",
            .function = "WriteBack::run",
            .evidence = evidence});
  }
}

}  // namespace pagealloc::labs
