// Task 5: when a sync may begin, and what a write that fails means.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "labs/04_cache/tests/cached.h"
#include "labs/04_cache/tests/tests.h"
#include "pagealloc/cache/write_back.h"

namespace pagealloc::labs {

using os::Call;

namespace {

const Blame sync_too_early{
    "the sync began before its writes had come back: it covers what has been answered when it "
    "begins, and an engine may end operations in another order than they were begun in. Nothing "
    "may be under way when run() returns",
    "WriteBack::run"};

/// Two handles write, one of them syncs.
struct Writers {
  std::vector<PageId> pages = {};
  std::vector<Note> notes = {};  // of the sync
};

void write_all(Test& t, Cached& cached, PageFile& other, Writers& writers) {
  const PageId shift = t.random().below(10);
  for (PageId page = 0; page <= 22; page += 2) writers.pages.push_back(shift + page);
  for (const PageId page : {31U, 33U, 35U}) writers.pages.push_back(shift + page);
  for (std::size_t i = 0; i < writers.pages.size(); ++i) {
    cached.write(i < 12 ? *cached.file : other, writers.pages[i], 1);
  }
}

void check_cuts(Test& t, Cached& cached, const Writers& writers) {
  const bool durable = cached.bench.sim.everything_durable();
  const auto images = cached.bench.cuts(5);
  std::size_t lost = 0;
  PageId page = writers.pages.front();
  std::vector<std::byte> bytes;
  for (const PageId each : writers.pages) {
    const auto its = cached.bench.lost(images, each, 1);
    if (its.count > 0 && lost++ == 0) {
      page = each;
      bytes = its.first;
    }
  }
  if (t.holds(durable && lost == 0)) return;
  std::string found = "writes are still under way, or nothing has covered them yet";
  if (lost > 0) {
    found = fmt::format(
        "after a power cut {} of {} pages are not as they were written, page {} "
        "among them",
        lost, writers.pages.size(), page);
  }
  t.fail({.expected = fmt::format("all {} pages are on the medium: the sync said ok (on {})",
                                  writers.pages.size(), cached.engine()),
          .found = found,
          .cause = sync_too_early.cause,
          .function = sync_too_early.function,
          .evidence = (lost > 0 ? picture_of(page, bytes, 1, std::vector<std::uint64_t>{0}) : "") +
                      text_of(writers.notes) + "what the machine did last:\n" +
                      tail_of(cached.bench.timeline())});
}

void sync_covers(Test& t, const char* impl) {
  Cached cached(t, {.impl = impl, .frames = 64, .pages = 50});
  const auto other = cached.another();
  Writers writers;
  write_all(t, cached, *other, writers);
  expect_trouble(t,
                 {"a write came back after run() had returned: it must wait for all that it began",
                  "WriteBack::run"});
  note_in(&writers.notes);
  cached.sync(sync_too_early);
  note_in(nullptr);
  check_cuts(t, cached, writers);
}

}  // namespace

void sync_after_its_writes(Test& t) {
  for (const char* impl : {"direct", any_order}) {
    for (int machine = 0; machine < 100; ++machine) sync_covers(t, impl);
  }
}

// --- Failures -----------------------------------------------------------------------------------

namespace {

const char* const not_looked_at =
    "the result of a write-back was not looked at, or only EIO was. Whatever the reason, a page "
    "that "
    "was taken and cannot be written is lost, and what was reaped before must not be promised any "
    "more: the file is poisoned";

/// Syncs, twice. What was called the first time.
std::vector<conformance::Record> fails_and_poisons(Test& t, Cached& cached, int os_error,
                                                   const std::string& why) {
  const auto synced = sync(*cached.file);
  auto calls = cached.bench.kernel.log();
  const bool good =
      !synced && synced.error().os_error == os_error && cached.file->failed() == Errc::poisoned;
  if (!t.holds(good)) {
    const bool another = !synced && synced.error().code == Errc::io && synced.error().os_error != 0;
    t.fail(
        {.expected = fmt::format("the sync fails: {} (on {}); errno {}, and the file is poisoned",
                                 why, cached.engine(), os_error),
         .found = synced ? "it succeeds"
                         : fmt::format("{}; the file is {}", synced.error().text(),
                                       name_of(cached.file->failed())),
         .cause = another ? "the outcome of a run is that of its first write that failed: a later "
                            "failure, or a good write, does not take its place"
                          : not_looked_at,
         .function = "WriteBack::written",
         .evidence = cached.bench.calls()});
  }
  cached.bench.kernel.clear_log();
  const auto again = sync(*cached.file);
  if (!t.holds(!again && again.error().code == Errc::poisoned &&
               cached.bench.kernel.count(Call::fdatasync) == 0)) {
    t.fail({.expected = "the next sync says poisoned, without a call",
            .found = again ? "it succeeds" : again.error().text(),
            .cause = "after a failure no sync may ever succeed: nobody knows what the medium has",
            .function = "WriteBack::written",
            .evidence = cached.bench.calls()});
  }
  return calls;
}

const Blame lost_is_dropped{
    "what was taken and not written is given back to the cache as not written, and then dropped: "
    "serving it from the cache would be a promise that no sync can keep",
    "WriteBack::run"};

/// The second of three writes fails. On the any-order engine all three are under way by then, and
/// it may be any page's.
void one_write_fails(Test& t, const char* impl) {
  Cached cached(t, {.impl = impl, .frames = 64, .pages = 50});
  auto pages = some_pages(t.random(), 3, 0, 16);
  std::ranges::sort(pages);
  for (PageId& page : pages) page *= 3;  // no neighbours
  for (const PageId page : pages) cached.write(page, 1);
  expect_trouble(
      t, {"run() did not come back after a write that failed: it gives the turn back on every "
          "way out, and hands back what it did not begin",
          "WriteBack::run"});
  cached.bench.kernel.clear_log();
  cached.bench.kernel.fail_next(Call::pwritev, EIO, 1);
  const auto calls = fails_and_poisons(t, cached, EIO, "the second of three writes fails");
  const bool overlaps = std::string_view(impl) == any_order;
  const std::uint64_t counted = cached.counters().written_back;
  if (!t.holds(counted == (overlaps ? 2 : 1))) {
    t.fail({.expected = fmt::format("{} written back (on {}): {}", overlaps ? "2 pages" : "1 page",
                                    cached.engine(),
                                    overlaps ? "all three were under way when one failed"
                                             : "after the first failure nothing is begun"),
            .found = fmt::format("{}", counted),
            .cause =
                "run() begins nothing more once the file is poisoned, and pages of a write that "
                "failed are not counted",
            .function = "WriteBack::run",
            .evidence = text_of(calls)});
  }
  PageId failed = pages[1];
  for (const auto& call : calls) {
    if (call.result < 0) failed = call.offset / 4096;
  }
  for (const PageId page : pages) {
    if (page == failed) {
      cached.reads_as(page, 0, "whose write failed", lost_is_dropped);
    } else if (overlaps || page < failed) {
      cached.reads_as(page, 1, "whose write did not fail", lost_is_dropped);
    } else {
      cached.reads_as(page, 0, "whose write was never begun", lost_is_dropped);
    }
  }
}

/// Two of three fail, each for a reason of its own.
void two_writes_fail(Test& t, int first, int second) {
  Cached cached(t, {.impl = any_order, .frames = 64, .pages = 50});
  for (const PageId page : some_pages(t.random(), 3, 0, 16)) cached.write(3 * page, 1);
  cached.bench.kernel.clear_log();
  cached.bench.kernel.fail_next(Call::pwritev, first);
  cached.bench.kernel.fail_next(Call::pwritev, second);
  (void)fails_and_poisons(
      t, cached, first,
      fmt::format("of three writes the first fails with errno {}, the second with {}", first,
                  second));
}

/// The first write to come back has failed. By then all sixteen are under way, and no more follow.
void none_after_a_failure(Test& t) {
  Cached cached(t, {.impl = any_order, .frames = 256, .pages = 200});
  for (const PageId i : some_pages(t.random(), 40, 0, 40)) cached.write(2 * i, 1);
  cached.bench.kernel.clear_log();
  cached.bench.kernel.fail_next(Call::pwritev, EIO);
  std::vector<Note> notes;
  note_in(&notes);
  const auto synced = sync(*cached.file);
  note_in(nullptr);
  const auto begun = std::ranges::count_if(
      notes, [](const Note& note) { return note.begun && note.verb == Verb::write; });
  if (t.holds(!synced && begun == 16)) return;
  t.fail({.expected = "of 40 writes 16 are begun, and none after the first of them has failed",
          .found = fmt::format("{} begun", begun),
          .cause = "run() waits until a batch is idle, and what it has waited for may have failed: "
                   "only then it asks whether the file is poisoned",
          .function = "WriteBack::run",
          .evidence = labs::text_of(notes)});
}

/// No EIO: there is no room any more, and the file may have holes.
void disk_is_full(Test& t, const char* impl) {
  Cached cached(t, {.impl = impl, .frames = 64, .pages = 50});
  const auto pages = some_pages(t.random(), 2, 0, 50);
  (void)punch(*cached.file, pages[0]);
  cached.write(pages[1], 1);
  cached.bench.kernel.clear_log();
  cached.bench.kernel.fail_next(Call::fallocate, ENOSPC);
  (void)fails_and_poisons(t, cached, ENOSPC,
                          fmt::format("the disk is full, page {} is in no file", pages[1]));
  cached.reads_as(pages[1], 0, "for which there was no room", lost_is_dropped);
}

/// Frames that are held, and where they are.
struct Held {
  std::size_t frames = 0;
  std::string picture = {};
};

Held held_in(const Bare& bare) {
  const cache::FrameTable& table = bare.cache->table();
  Held held;
  for (FrameId frame = 0; frame < table.frames(); ++frame) {
    held.frames += table.claimed(frame) || table.idle(frame) ? 0U : 1U;
  }
  held.picture = bare.picture();
  return held;
}

/// The second of three writes fails, and there is no file around it that would drop the cache, too.
void run_fails_alone(Test& t) {
  Bare& bare = Bare::kept(t, 24);
  OneByOne engine(bare.shared);
  cache::WriteBack write_back(*bare.cache, engine);
  auto pages = some_pages(t.random(), 4, 0, 100);
  std::ranges::sort(pages);
  for (PageId& page : pages) page *= 3;  // no neighbours
  for (const PageId page : std::span(pages).first(3)) (void)bare.write(page, 1);
  bare.bench.kernel.fail_next(Call::pwritev, EIO, 1);
  Held held;  // when the turn was given back
  bare.kernel.set_at_wake([&] { held = held_in(bare); });
  const auto first = write_back.run(SIZE_MAX);
  bare.kernel.set_at_wake({});
  if (!t.holds(held.frames == 0)) {
    t.fail({.expected = "no page that was taken is held when the turn is given back",
            .found = fmt::format("{} held", counted(held.frames, "frame")),
            .cause = "what was taken is handed back before the turn is: the next one who has it "
                     "calls take_dirty(), which clears the list that is still to be handed back",
            .function = "WriteBack::run",
            .evidence = held.picture});
  }
  if (!t.holds(first.result == Errc::io && first.os_error == EIO)) {
    t.fail({.expected = "run() says: " + labs::text_of(Errc::io, EIO),
            .found = labs::text_of(first.result, first.os_error),
            .cause = "the outcome of a run is that of its first write that failed",
            .function = "WriteBack::run",
            .evidence = bare.bench.calls()});
  }
  for (const PageId page : std::span(pages).first(3)) {
    if (t.holds(bare.cache->table().find(page) == no_frame)) continue;
    t.fail({.expected = fmt::format("page {} is in no frame any more when run() has failed: the "
                                    "cache was dropped",
                                    page),
            .found = "it is still found",
            .cause = lost_is_dropped.cause,
            .function = lost_is_dropped.function,
            .evidence = bare.picture()});
  }
  (void)bare.write(pages[3], 1);
  bare.bench.kernel.clear_log();
  const auto second = write_back.run(SIZE_MAX);
  const std::size_t writes = bare.bench.kernel.count(Call::pwritev);
  if (!t.holds(second.result == Errc::ok && writes == 0)) {
    t.fail({.expected = "the next run begins nothing, because the file is poisoned, and none of "
                        "its writes has failed: ok",
            .found = fmt::format("{}, {}", labs::text_of(second.result, second.os_error),
                                 counted(writes, "write")),
            .cause = "run() forgets the outcome of the run before; that the file is poisoned is "
                     "what SharedFile::failed() says, and a sync asks it",
            .function = "WriteBack::run",
            .evidence = bare.bench.calls()});
  }
  if (!t.holds(bare.cache->dirty() == 0 && bare.cache->table().find(pages[3]) == no_frame)) {
    t.fail({.expected = fmt::format("page {} is in no frame any more: the file was poisoned before",
                                    pages[3]),
            .found = "it is still found",
            .cause = lost_is_dropped.cause,
            .function = lost_is_dropped.function,
            .evidence = bare.picture()});
  }
}

}  // namespace

void write_that_fails(Test& t) {
  for (const char* impl : {"direct", any_order}) {
    one_write_fails(t, impl);
    disk_is_full(t, impl);
  }
  two_writes_fail(t, EIO, ENOSPC);
  two_writes_fail(t, ENOSPC, EIO);
  none_after_a_failure(t);
  run_fails_alone(t);
}

}  // namespace pagealloc::labs
