// Task 3, and 4.2: one thread, one ring, many operations under way.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "labs/05_depth/tests/died.h"
#include "labs/05_depth/tests/rig.h"
#include "labs/05_depth/tests/tests.h"

namespace pagealloc::labs {

using os::Call;

namespace {

const char* const nothing_waited_for =
    "the engine waits for a completion that cannot come: it may ask io_uring_enter for no more "
    "completions than entries are outstanding";

void one_batch(Test& t) {
  Rig rig(t, {});
  std::vector<Op*> batch;
  for (const PageId page : rig.pages(32)) batch.push_back(&rig.read(page));
  const std::uint64_t before = rig.enters();
  rig.submit(batch);
  const std::uint64_t submitted = rig.enters() - before;
  if (!t.holds(submitted == 0)) {
    t.fail({.expected = "submit() of 32 reads: no io_uring_enter",
            .found = fmt::format("{} io_uring_enter in submit()", submitted),
            .cause = "each entry was handed over by itself; filling an entry costs no call, and "
                     "the next io_uring_enter hands over all that were filled",
            .function = "ring.cpp/Engine::queue",
            .evidence = rig.bench.calls()});
  }
  const auto done = rig.reap(32);
  const std::uint64_t entered = rig.enters() - before;
  if (!t.holds(entered == 1)) {
    t.fail({.expected = "reap(done, 32): 1 io_uring_enter for 32 reads",
            .found = fmt::format("{} for {} reads", entered, done.size()),
            .cause = "completions were waited for a few at a time; one call submits all entries "
                     "and waits for as many completions as are missing",
            .function = "ring.cpp/Engine::advance",
            .evidence = rig.bench.calls()});
  }
  for (Op* op : done) {
    rig.must_be_ok(*op, "the operation ended before its bytes had come", "ring.cpp/Engine::step");
  }
}

/// Keeps `depth` reads in flight and reaps `at_a_time`; calls `at_reap` after each reap while
/// there are more to begin.
template <typename AtReap>
void keep_reading(Test& t, Rig& rig, std::uint64_t count, AtReap at_reap) {
  std::string wrong;
  std::uint64_t begun = 0;
  while (begun < count || rig.in_flight() > 0) {
    std::vector<Op*> batch;
    for (; begun < count && rig.in_flight() + batch.size() < 32; ++begun) {
      batch.push_back(&rig.read(t.random().below(64)));
    }
    rig.submit(batch);
    const auto done = rig.reap(8);
    if (begun < count) at_reap(done.size());
    for (Op* op : done) {
      const std::string found = rig.wrong_with(*op);
      if (wrong.empty() && !found.empty()) wrong = text_of(*op) + ": " + found;
    }
  }
  if (!t.holds(wrong.empty())) {
    t.fail({.expected = "every read is ok and has its page's 4096 bytes",
            .found = wrong,
            .cause = "an operation was ended with something else than its own completion",
            .function = "ring.cpp/Engine::collect"});
  }
}

}  // namespace

void enters_for_each_operation(Test& t) {
  t.expect_trouble(nothing_waited_for);
  one_batch(t);
  constexpr std::uint64_t count = 1000;
  Rig rig(t, {});
  const std::uint64_t before = rig.enters();
  keep_reading(t, rig, count, [](std::size_t) {});
  const std::uint64_t entered = rig.enters() - before;
  constexpr std::uint64_t enough = count / 8;  // each call brings eight at least
  if (!t.holds(entered <= enough)) {
    t.fail({.expected = fmt::format("{} reads, 32 in flight, reap(done, 8): at most {} "
                                    "io_uring_enter, {:.3f} for each read",
                                    count, enough, static_cast<double>(enough) / count),
            .found = fmt::format("{}, {:.3f} for each read", entered,
                                 static_cast<double>(entered) / count),
            .cause = "the call that waits for eight also hands over the eight that were begun "
                     "since the one before",
            .function = "ring.cpp/Engine::advance",
            .evidence = rig.bench.calls()});
  }
}

namespace {

/// reap(done, 1) has one already, a read that was refused. It waits for nothing then, so what else
/// was begun goes to the kernel through send(), which is the first to use this ring.
void sent_all_the_same(Test& t) {
  constexpr const char* cause =
      "reap() had as many as it was asked for, so it called send() and not advance(): send() hands "
      "over what is queued, waits for nothing, and may be the first to use the ring, which "
      "advance() enables";
  t.expect_trouble(cause);
  Rig rig(t, {.number = 1});
  Op* const batch[] = {&rig.read(64), &rig.read(t.random().below(64))};
  rig.submit(batch);
  const auto done = rig.reap(1);
  const auto handed_over = entries(rig.bench.sim, 0);
  const std::size_t still = unanswered(handed_over);
  if (!t.holds(done.size() == 1 && done[0] == batch[0] && still == 1)) {
    t.fail({.expected = fmt::format("the first use of a ring: a {} of 64, which is refused, then a "
                                    "{}; reap(done, 1) gives the first, and the second is under "
                                    "way",
                                    text_of(*batch[0]), text_of(*batch[1])),
            .found = fmt::format("{} came back, {} entr{} handed over, {} of them under way",
                                 done.size(), handed_over.size(),
                                 handed_over.size() == 1 ? "y was" : "ies were", still),
            .cause = cause,
            .function = "ring.cpp/Engine::send",
            .evidence = rig.bench.calls()});
  }
  (void)rig.reap(1);
  rig.must_be_ok(*batch[1], cause, "ring.cpp/Engine::send");
}

}  // namespace

void ring_depth_is_counted(Test& t) {
  t.expect_trouble(nothing_waited_for);
  Rig rig(t, {});
  std::vector<Op*> batch;
  for (const PageId page : rig.pages(32)) batch.push_back(&rig.read(page));
  rig.submit(batch);
  for (Op* op : rig.reap(32)) (void)rig.wrong_with(*op);
  const auto first = entries(rig.bench.sim, 0);
  if (!t.holds(most_at_once(first) == 32)) {
    t.fail({.expected = "32 reads, one reap: 32 under way at one time",
            .found = fmt::format("{} at most", most_at_once(first)),
            .cause = "entries were handed over in several calls with a wait between them",
            .function = "ring.cpp/Engine::advance",
            .evidence = bars_of(first)});
  }
  const std::size_t from = rig.events();
  std::size_t least = SIZE_MAX;
  std::size_t came = 0;
  keep_reading(t, rig, 320, [&](std::size_t done) {
    const std::size_t still = unanswered(entries(rig.bench.sim, from));
    if (still < least) came = done;
    least = std::min(least, still);
  });
  if (!t.holds(least >= 16)) {
    t.fail({.expected = "32 in flight, reap(done, 8): when it comes back about 24 are still under "
                        "way, and never less than 16",
            .found = fmt::format("it came back with {}, and {} were still under way", came, least),
            .cause = "it waited for all that was outstanding, so the device ran empty before it "
                     "got more",
            .function = "ring.cpp/Engine::advance",
            .evidence = bars_of(entries(rig.bench.sim, from))});
  }
  sent_all_the_same(t);
}

namespace {

/// Eight reads, and the first io_uring_enter for them fails.
struct Failed {
  Died died;
  std::size_t came = 0;
  std::vector<Op*> batch = {};
};

Failed enter_fails(Rig& rig, int os_error) {
  Failed failed;
  for (const PageId page : rig.pages(8)) failed.batch.push_back(&rig.read(page));
  rig.submit(failed.batch);
  rig.bench.kernel.fail_next(Call::io_uring_enter, os_error);
  failed.died = died_of([&] { failed.came = rig.file->reap(failed.batch, 8); });
  rig.reaped(failed.came);
  return failed;
}

std::string found_of(const Failed& failed) {
  if (!failed.died.aborted) return fmt::format("it gives {}", failed.came);
  return "the process was ended, and said: " +
         (failed.died.said.empty() ? std::string("nothing") : failed.died.said);
}

}  // namespace

void an_interrupted_enter(Test& t) {
  constexpr const char* not_now =
      "io_uring_enter said EINTR, EAGAIN or EBUSY: not now. It has not failed, and is called again";
  constexpr const char* not_for_now =
      "only EINTR, EAGAIN and EBUSY mean: again. After any other error nobody knows what the "
      "kernel still does with the frames";
  t.expect_trouble(not_now);
  // It stays: after an abort its state is anything, and nobody may clean up after it.
  auto& rig = *new Rig(t, {});
  for (const int os_error : {EINTR, EAGAIN, EBUSY}) {
    const Failed failed = enter_fails(rig, os_error);
    if (!t.holds(!failed.died.aborted && failed.came == 8)) {
      t.fail({.expected = fmt::format("io_uring_enter fails once with {}; reap(done, 8) gives 8",
                                      describe(os_error)),
              .found = found_of(failed),
              .cause = not_now,
              .function = "ring.cpp/Engine::advance",
              .evidence = rig.bench.calls()});
    }
    for (Op* op : failed.batch) rig.must_be_ok(*op, not_now, "ring.cpp/Engine::advance");
  }
  t.expect_trouble(not_for_now);
  const Failed failed = enter_fails(rig, EINVAL);
  const std::string& said = failed.died.said;
  const bool named = said.contains(bench_path) && said.contains("io_uring_enter") &&
                     said.contains(describe(EINVAL));
  if (!t.holds(failed.died.aborted && named)) {
    t.fail({.expected = fmt::format("io_uring_enter fails with EINVAL: the process is ended, and "
                                    "says \"{}: io_uring_enter failed: {}\"",
                                    bench_path, describe(EINVAL)),
            .found = found_of(failed),
            .cause = not_for_now,
            .function = "ring.cpp/Engine::advance",
            .evidence = rig.bench.calls()});
  }
}

void a_prefetch_is_no_transfer(Test& t) {
  constexpr const char* cause =
      "a prefetch was queued as if it were a transfer; it has no memory. blocking::prefetch "
      "carries it out on the spot, with fadvise";
  t.expect_trouble(cause);
  Rig rig(t, {.direct = Direct::off});
  const PageId page = t.random().below(64);
  const Op& op = rig.run(rig.prefetch(page));
  const auto advised = rig.bench.calls_of(Call::fadvise);
  const auto moved = entries(rig.bench.sim, 0).size();
  if (!t.holds(op.result == Errc::ok && advised.size() == 1 && moved == 0)) {
    t.fail(
        {.expected =
             fmt::format("prefetch of page {}: ok, one fadvise, no entry of the ring", page),
         .found = fmt::format("{}, {} fadvise, {} entries", result_of(op), advised.size(), moved),
         .cause = cause,
         .function = "ring.cpp/Engine::begin",
         .evidence = rig.bench.calls()});
  }
}

namespace {

/// Sixteen reads on a machine of its own, one of which the disk cannot do. Did they come back in
/// another order?
bool comes_back_in_another_order(Test& t, std::uint64_t number) {
  Rig rig(t, {.number = number});
  const auto pages = rig.pages(16);
  const PageId bad = pages[t.random().below(pages.size())];
  rig.bench.sim.make_unreadable(bench_path, bad);
  std::vector<Op*> batch;
  for (const PageId page : pages) batch.push_back(&rig.read(page));
  rig.submit(batch);
  const auto done = rig.reap(16);
  for (Op* op : done) {
    const bool failed = op->result == Errc::io;
    const std::string wrong = rig.wrong_with(*op);
    if (t.holds(op->page == bad ? failed : wrong.empty())) continue;
    const bool another = op->page != bad && failed;
    t.fail({.expected = op->page == bad ? fmt::format("page {}, which the disk cannot read: {}",
                                                      bad, text_of(Errc::io, EIO))
                                        : fmt::format("page {}: ok, and its 4096 bytes", op->page),
            .found = another           ? fmt::format("{}: page {}'s result", wrong, bad)
                     : op->page == bad ? "ok"
                                       : wrong,
            .cause = "the result of one completion was given to the operation of another; whose a "
                     "completion is stands in its user_data",
            .function = "ring.cpp/Engine::collect",
            .evidence = completions(rig.bench.sim)});
  }
  return !std::ranges::equal(batch, done);
}

}  // namespace

void completions_in_any_order(Test& t) {
  constexpr std::uint64_t machines = 50;
  std::uint64_t reordered = 0;
  for (std::uint64_t i = 0; i < machines; ++i) reordered += comes_back_in_another_order(t, i);
  if (!t.holds(reordered > 0)) {
    t.fail({.expected = fmt::format("{} times 16 reads: they come back in another order than they "
                                    "were submitted in",
                                    machines),
            .found = "always in the order of submission",
            .cause = "completions come in the order in which the device has finished, and reap "
                     "hands them on in that order",
            .function = "ring.cpp/Engine::collect"});
  }
}

}  // namespace pagealloc::labs
