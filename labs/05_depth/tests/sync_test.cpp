// Task 5: one sync of a ring is in the kernel at a time, and what each of them covers.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "labs/05_depth/tests/rig.h"
#include "labs/05_depth/tests/tests.h"

namespace pagealloc::labs {

using os::Call;

void one_sync_at_a_time(Test& t) {
  t.expect_trouble(
      "reap() waits for three operations; one completion may end several syncs, so it must wait "
      "for no more than are outstanding");
  Rig rig(t, {});
  rig.must_be_ok(rig.run(rig.write(t.random().below(64), 1)), "a write of a whole page",
                 "ring.cpp/Engine::step");
  const std::size_t from = rig.events();
  rig.bench.kernel.clear_log();
  for (int i = 0; i < 3; ++i) rig.submit(rig.sync());
  for (Op* op : rig.reap(3))
    rig.must_be_ok(*op, "no sync has failed", "ring.cpp/Engine::step_sync");
  const auto syncs = only(entries(rig.bench.sim, from), "ring fsync");
  if (!t.holds(most_at_once(syncs) == 1)) {
    t.fail({.expected = "three syncs submitted together: at most 1 FSYNC under way",
            .found = fmt::format("{} under way", most_at_once(syncs)),
            .cause = "of several syncs in the kernel Linux tells one of a failure, and the others "
                     "say ok; who comes while one is there waits",
            .function = "ring.cpp/Engine::begin",
            .evidence = bars_of(syncs)});
  }
  // One is right, too: none of the three was in the kernel when the others came.
  if (!t.holds(syncs.size() <= 2)) {
    t.fail({.expected = "three syncs submitted together: at most 2 FSYNC, the second for both "
                        "that have waited",
            .found = fmt::format("{} FSYNC", syncs.size()),
            .cause = "each of those that waited had a sync of its own; one that begins after both "
                     "were submitted serves both",
            .function = "ring.cpp/Engine::step_sync",
            .evidence = bars_of(syncs)});
  }
}

namespace {

/// Page b is written while the sync of page a is under way, and reaped; then come two syncs, which
/// the next FSYNC serves.
void write_between_two_syncs(Test& t, std::uint64_t number) {
  Rig rig(t, {.number = number});
  const auto pages = rig.pages(2);
  rig.must_be_ok(rig.run(rig.write(pages[0], 1)), "a write of a whole page",
                 "ring.cpp/Engine::step");
  const std::size_t from = rig.events();
  Op& first = rig.sync();
  rig.submit(first);
  (void)rig.reap(0);
  Op& write = rig.write(pages[1], 1);
  rig.submit(write);
  const auto reaped = rig.reap(1);
  if (!t.holds(reaped.size() == 1 && reaped[0] == &write)) {
    t.fail({.expected = "reap(done, 0) has sent the sync; the write that is begun after it ends "
                        "before it",
            .found = fmt::format("{} operations, a {} first", reaped.size(), text_of(*reaped[0])),
            .cause = "reap(done, 0) hands over what was begun, and does not wait for it",
            .function = "ring.cpp/Engine::advance",
            .evidence = bars_of(entries(rig.bench.sim, from))});
  }
  Op& second = rig.sync();
  Op& third = rig.sync();
  rig.submit(second);
  rig.submit(third);
  (void)rig.reap(3);
  const auto under_way = entries(rig.bench.sim, from);
  const std::size_t syncs = only(under_way, "ring fsync").size();
  const auto images = rig.bench.cuts(20);
  const auto lost = rig.bench.lost(images, pages[1], 1);
  const bool all =
      first.result == Errc::ok && second.result == Errc::ok && third.result == Errc::ok;
  if (!t.holds(all && lost.count == 0 && rig.bench.sim.everything_durable())) {
    const std::uint64_t older[] = {0};
    t.fail({.expected = fmt::format("while a sync is under way page {} is written and reaped, then "
                                    "two syncs are submitted and say ok: a power cut leaves the "
                                    "page",
                                    pages[1]),
            .found = fmt::format("{} FSYNC for the three syncs, which said {}, {} and {}; {} of {} "
                                 "power cuts lose the page",
                                 syncs, name_of(first.result), name_of(second.result),
                                 name_of(third.result), lost.count, images.size()),
            .cause = "the sync was answered with an FSYNC that was submitted before the write was "
                     "reaped, and that does not cover it; who comes while one is under way is "
                     "served by the next",
            .function = "ring.cpp/Engine::step_sync",
            .evidence =
                bars_of(under_way) +
                (lost.count == 0 ? std::string() : picture_of(pages[1], lost.first, 1, older))});
  }
  if (!t.holds(syncs == 2)) {
    t.fail({.expected = "a sync is under way, and two more are submitted: 2 FSYNC in all",
            .found = fmt::format("{} FSYNC", syncs),
            .cause = "those that come while one is under way are served by the next one, all of "
                     "them together",
            .function = "ring.cpp/Engine::step_sync",
            .evidence = bars_of(under_way)});
  }
}

}  // namespace

void a_sync_covers_what_was_reaped(Test& t) {
  for (std::uint64_t number = 0; number < 20; ++number) write_between_two_syncs(t, number);
}

namespace {

const char* not_io(const Op& sync) {
  if (sync.result == Errc::ok) return "the result of the sync was not looked at";
  return "whatever its errno, a sync that failed leaves pages that nobody knows, and only io "
         "poisons the file: after any other result the next sync says ok, and the pages are gone";
}

void failed_sync(Test& t, int os_error, const char* name) {
  Rig rig(t, {.number = static_cast<std::uint64_t>(os_error)});
  Op* const syncs[] = {&rig.sync(), &rig.sync(), &rig.sync()};
  // EIO is the disk's and takes its time, so the others have to wait; the first one is under way
  // before they come, for who has not begun it might serve all three by one FSYNC.
  os::sim::FaultRates faults;
  faults[os::sim::Fault::flush_error] = os_error == EIO ? 1 : 0;
  rig.bench.sim.set_faults(faults);
  if (os_error != EIO) rig.bench.kernel.fail_next(Call::fdatasync, os_error);
  rig.submit(*syncs[0]);
  (void)rig.reap(0);
  rig.submit(*syncs[1]);
  rig.submit(*syncs[2]);
  (void)rig.reap(3);
  rig.bench.sim.set_faults({});
  if (!t.holds(syncs[0]->result == Errc::io && syncs[0]->os_error == os_error)) {
    t.fail({.expected = fmt::format("FSYNC is answered with -{}: the sync says {}", name,
                                    text_of(Errc::io, os_error)),
            .found = result_of(*syncs[0]),
            .cause = not_io(*syncs[0]),
            .function = "ring.cpp/Engine::step_sync",
            .evidence = rig.bench.calls()});
  }
  const std::size_t asked = rig.bench.calls_of(Call::fdatasync).size();
  if (!t.holds(asked == 1)) {
    t.fail({.expected = "two more syncs waited for it: the kernel is not asked again, 1 FSYNC",
            .found = fmt::format("{} FSYNC", asked),
            .cause = "the kernel was asked again after a sync had failed; it has marked the pages "
                     "clean, would say ok, and the bytes are gone",
            .function = "ring.cpp/Engine::step_sync",
            .evidence = rig.bench.calls()});
  }
  for (const Op* op : {syncs[1], syncs[2]}) {
    if (t.holds(op->result == Errc::poisoned)) continue;
    t.fail({.expected = "the syncs that waited: poisoned",
            .found = result_of(*op),
            .cause = "only those that the FSYNC was for say what it said; those that waited for "
                     "the next one end with failed(), which is no longer ok",
            .function = "ring.cpp/Engine::step_sync",
            .evidence = rig.bench.calls()});
  }
  rig.bench.kernel.clear_log();
  for (Op* op : {&rig.sync(), &rig.write(t.random().below(64), 1)}) {
    (void)rig.run(*op);
    if (t.holds(op->result == Errc::poisoned && rig.bench.kernel.log().empty())) continue;
    t.fail({.expected = text_of(*op) + " after that: poisoned, and no call",
            .found = result_of(*op),
            .cause = "the failed sync did not poison the file: it must be ended with io",
            .function = "ring.cpp/Engine::step_sync",
            .evidence = rig.bench.calls()});
  }
}

}  // namespace

void a_failed_sync_is_everybodys(Test& t) {
  failed_sync(t, EIO, "EIO");
  // Space for what was written may be found as late as this, on file systems over a network.
  failed_sync(t, ENOSPC, "ENOSPC");
}

}  // namespace pagealloc::labs
