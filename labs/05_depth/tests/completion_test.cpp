// Task 4: what a completion says, and when an operation is over.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "labs/05_depth/tests/rig.h"
#include "labs/05_depth/tests/tests.h"

namespace pagealloc::labs {

using os::Call;

namespace {

const char* const taken_for_success = "a completion with a negative result was taken for success";
const char* const cannot_punch =
    "a punch that says EOPNOTSUPP has changed nothing and is no error of the disk: the file system "
    "cannot do it";
const char* const no_number_of_bytes =
    "a completion with a negative result is an error, -errno, and no number of bytes; it was not "
    "named";

const char* const partly_written =
    "disk_full says that nothing has changed, and does not poison; a write with O_DIRECT that "
    "fails may have reached the medium in part, whatever the errno. Transfers have a function of "
    "their own that names their errors";

const char* cause_of(const Op& op) {
  if (op.result == Errc::ok) return taken_for_success;
  if (op.verb == Verb::punch) return cannot_punch;
  return op.result == Errc::disk_full ? partly_written : no_number_of_bytes;
}

void must_be(Test& t, Rig& rig, const Op& op, Errc result, int os_error, const std::string& why) {
  if (t.holds(op.result == result && op.os_error == os_error)) return;
  const bool ok = op.result == Errc::ok;
  t.fail({.expected = fmt::format("{}{}: {}", text_of(op), why, text_of(result, os_error)),
          .found = result_of(op) +
                   (ok && op.verb == Verb::read ? ", and a frame into which nothing was read" : ""),
          .cause = cause_of(op),
          .function = "ring.cpp/Engine::step",
          .evidence = rig.bench.calls()});
}

void must_be_healthy(Test& t, Rig& rig, bool healthy, const std::string& after) {
  if (t.holds((rig.file->failed() == Errc::ok) == healthy)) return;
  t.fail({.expected = fmt::format("after {} the file is {}", after, healthy ? "ok" : "poisoned"),
          .found = std::string(name_of(rig.file->failed())),
          .cause = "a read that fails harms nothing; a write that fails leaves a page that nobody "
                   "knows, and poisons; a punch that is not available has changed nothing",
          .function = "ring.cpp/Engine::step",
          .evidence = rig.bench.calls()});
}

}  // namespace

void a_negative_completion(Test& t) {
  {
    Rig rig(t, {});
    const auto pages = rig.pages(2);
    rig.bench.sim.make_unreadable(bench_path, pages[0]);
    Op& bad = rig.run(rig.read(pages[0]));
    must_be(t, rig, bad, Errc::io, EIO, ", which the disk cannot read");
    rig.must_be_ok(rig.run(rig.read(pages[1])), no_number_of_bytes, "ring.cpp/Engine::step");
    must_be_healthy(t, rig, true, "a read that failed");
  }
  {
    Rig rig(t, {.number = 1});
    os::sim::FaultRates faults;
    faults[os::sim::Fault::write_error] = 1;
    rig.bench.sim.set_faults(faults);
    must_be(t, rig, rig.run(rig.write(t.random().below(64), 1)), Errc::io, EIO,
            ", which the disk refuses");
    must_be_healthy(t, rig, false, "a write that failed");
  }
  {
    Rig rig(t, {.number = 3});
    rig.bench.kernel.fail_next(Call::pwritev, ENOSPC);
    must_be(t, rig, rig.run(rig.write(t.random().below(64), 1)), Errc::io, ENOSPC,
            ", whose WRITE is answered with -ENOSPC");
    must_be_healthy(t, rig, false, "a write that failed");
  }
  {
    Rig rig(t, {.number = 2});
    rig.bench.kernel.fail_next(Call::fallocate, EOPNOTSUPP);
    must_be(t, rig, rig.run(rig.punch(t.random().below(64))), Errc::not_available, EOPNOTSUPP,
            ", on a file system that cannot");
    must_be_healthy(t, rig, true, "a punch that is not available");
  }
}

namespace {

const char* const short_for_whole =
    "a completion with fewer bytes than asked for was taken for the whole; the rest must be asked "
    "for";

/// The kernel moves a part of about every second transfer.
void with_short_transfers(Test& t, std::uint64_t number) {
  Rig rig(t, {.number = number});
  const auto pages = rig.pages(16);
  os::sim::FaultRates faults;
  faults[os::sim::Fault::short_transfer] = 2;
  rig.bench.sim.set_faults(faults);
  for (std::size_t i = 0; i < 8; ++i) rig.submit(rig.read(pages[i]));
  for (std::size_t i = 8; i < 16; ++i) rig.submit(rig.write(pages[i], 1));
  for (Op* op : rig.reap(16)) rig.must_be_ok(*op, short_for_whole, "ring.cpp/Engine::step");
  rig.bench.sim.set_faults({});
  for (std::size_t i = 8; i < 16; ++i) {
    const auto bytes = rig.bench.raw_read(pages[i]);
    const std::uint64_t older[] = {0};
    if (t.holds(rig.bench.version_of(pages[i], bytes) == 1)) continue;
    t.fail({.expected =
                fmt::format("write of page {}: ok, and all 4096 bytes are in the file", pages[i]),
            .found = "ok, and a part of them",
            .cause = short_for_whole,
            .function = "ring.cpp/Engine::step",
            .evidence = picture_of(pages[i], bytes, 1, older)});
  }
}

Op& operation(Rig& rig, Verb verb, PageId page) {
  if (verb == Verb::read) return rig.read(page);
  if (verb == Verb::write) return rig.write(page, 1);
  return verb == Verb::sync ? rig.sync() : rig.punch(page);
}

/// The operation's entry of this kind, the first of two, is interrupted.
void interrupted(Test& t, Rig& rig, Verb verb, Call call, int os_error) {
  rig.bench.kernel.clear_log();
  rig.bench.kernel.fail_next(call, os_error);
  const Op& op = rig.run(operation(rig, verb, rig.pages(1)[0]));
  const std::size_t asked = rig.bench.calls_of(call).size();
  if (t.holds(op.result == Errc::ok && asked == 2)) return;
  const bool transfer = call == Call::preadv || call == Call::pwritev;
  t.fail({.expected = fmt::format("{}: its entry {} is answered with -{}, is queued once more, and "
                                  "the {} is ok",
                                  text_of(op), os::call_names[static_cast<std::size_t>(call)],
                                  os_error == EINTR ? "EINTR" : "EAGAIN", name_of(verb)),
          .found = fmt::format("{}, after {} such entr{}", result_of(op), asked,
                               asked == 1 ? "y" : "ies"),
          .cause = fmt::format("EINTR and EAGAIN say that nothing was done, and are no errors of "
                               "the file; they mean: ask again{}",
                               transfer ? ""
                                        : ", whatever the entry was for: a sync, an "
                                          "allocation and a punch, too"),
          .function = "ring.cpp/Engine::step",
          .evidence = rig.bench.calls()});
}

void each_kind_interrupted(Test& t) {
  for (const int os_error : {EINTR, EAGAIN}) {
    Rig rig(t, {});
    interrupted(t, rig, Verb::read, Call::preadv, os_error);
    interrupted(t, rig, Verb::write, Call::pwritev, os_error);
    interrupted(t, rig, Verb::sync, Call::fdatasync, os_error);
    interrupted(t, rig, Verb::punch, Call::fallocate, os_error);
    // The file has holes now, so a write allocates first.
    interrupted(t, rig, Verb::write, Call::fallocate, os_error);
  }
}

void rest_is_aligned(Test& t) {
  Rig rig(t, {});
  const PageId page = t.random().below(64);
  rig.bench.kernel.answer_next(Call::preadv, 700);
  (void)rig.run(rig.read(page));
  const auto asked = rig.bench.calls_of(Call::preadv);
  const std::uint64_t rest = asked.size() < 2 ? 0 : asked[1].offset - page * 4096;
  if (!t.holds(rest == 512)) {
    t.fail(
        {.expected = "700 bytes have come, O_DIRECT moves whole blocks of 512: the rest is "
                     "asked for from byte 512 on",
         .found = asked.size() < 2 ? "it was not asked for" : fmt::format("from byte {} on", rest),
         .cause = "offset, length and memory of a transfer with O_DIRECT are multiples of "
                  "align_bytes; what came past the last boundary is transferred once more",
         .function = "ring.cpp/Engine::step",
         .evidence = rig.bench.calls()});
  }
}

/// Somebody else makes the file shorter: so many bytes of the page that is read are left.
void at_the_end(Test& t, std::uint64_t left_bytes) {
  Rig rig(t, {.number = left_bytes});
  const PageId page = 32 + t.random().below(32);
  const std::string expected = fmt::format(
      "somebody else has made the file shorter, {} bytes of page {} are left: the read "
      "of it is truncated",
      left_bytes, page);
  rig.bench.kernel.set_call_limit(200, [&] {
    t.fail({.expected = expected,
            .found = "more than 200 calls, and no end of them",
            .cause = left_bytes == 0
                         ? "the completion said 0: nothing was moved, and the same was asked for "
                           "again, for ever. A read that gets nothing is at the end of the file"
                         : "the same was asked for again, for ever: the file ends inside of a "
                           "block, the part of it that came is asked for once more, so nothing "
                           "was gained. A read that gains nothing is at the end of the file",
            .function = "ring.cpp/Engine::step",
            .evidence = rig.bench.calls()});
  });
  rig.bench.raw_resize(page * 4096 + left_bytes);
  const Op& op = rig.run(rig.read(page));
  if (!t.holds(op.result == Errc::truncated)) {
    t.fail({.expected = expected,
            .found = result_of(op),
            .cause = "a completion that says 0, or less than a block, is neither success nor an "
                     "error of the disk: a read that gains nothing is at the end of the file",
            .function = "ring.cpp/Engine::step",
            .evidence = rig.bench.calls()});
  }
}

/// At a page's beginning, inside of its first block, and inside of its second.
void nothing_came(Test& t) {
  for (const std::uint64_t left_bytes : {0U, 100U, 700U}) at_the_end(t, left_bytes);
}

void nothing_was_written(Test& t) {
  Rig rig(t, {.number = 1});
  rig.bench.kernel.answer_next(Call::pwritev, 0);
  const Op& op = rig.run(rig.write(t.random().below(64), 1));
  const bool poisoned = rig.file->failed() == Errc::poisoned;
  if (!t.holds(op.result == Errc::io && op.os_error == EIO && poisoned)) {
    t.fail({.expected = fmt::format("the completion of a {} says 0: {}; the file is poisoned",
                                    text_of(op), text_of(Errc::io, EIO)),
            .found = fmt::format("{}; the file is {}", result_of(op), name_of(rig.file->failed())),
            .cause = "a write has no end of the file to run into: one that moves nothing has "
                     "failed, and only {io, EIO} poisons the file",
            .function = "ring.cpp/Engine::step",
            .evidence = rig.bench.calls()});
  }
}

}  // namespace

void short_interrupted_and_nothing(Test& t) {
  for (std::uint64_t number = 0; number < 20; ++number) with_short_transfers(t, number);
  each_kind_interrupted(t);
  rest_is_aligned(t);
  nothing_came(t);
  nothing_was_written(t);
}

namespace {

const char* const not_first =
    "in a file with holes a write may need space; it is allocated before the write, so that a "
    "full disk shows while nothing has changed";

/// The entries that were handed over, in that order.
std::string order_of(Rig& rig) {
  std::string order;
  for (const auto& record : rig.bench.kernel.log()) {
    if (record.call != Call::io_uring_enter) {
      order += (order.empty() ? "" : ", ");
      order += os::call_names[static_cast<std::size_t>(record.call)];
    }
  }
  return order;
}

void must_allocate(Test& t, Rig& rig, const std::string& what, const std::string& entries,
                   const char* cause) {
  const std::string order = order_of(rig);
  if (t.holds(order == entries)) return;
  t.fail({.expected = fmt::format("{}: entries {}", what, entries),
          .found = "entries " + order,
          .cause = cause,
          .function = "ring.cpp/Engine::begin",
          .evidence = rig.bench.calls()});
}

/// Whether a punch has made holes is known too late, or never: a write that is begun after it
/// allocates whatever becomes of it.
void marked_before_the_punch(Test& t) {
  {
    Rig rig(t, {.number = 1});
    const PageId page = t.random().below(64);
    rig.bench.kernel.fail_next(Call::fallocate, EIO);
    (void)rig.run(rig.punch(page));
    rig.bench.kernel.clear_log();
    (void)rig.run(rig.write(page, 1));
    must_allocate(
        t, rig,
        fmt::format("the punch of page {0} has failed with EIO, then page {0} is written", page),
        "fallocate, pwritev",
        "the file is marked only when a punch has succeeded; one that failed may have "
        "freed a part of its blocks, and no write would ask for their space");
  }
  {
    Rig rig(t, {.number = 2});
    const auto pages = rig.pages(2);
    rig.submit(rig.punch(pages[0]));
    rig.submit(rig.write(pages[1], 1));
    (void)rig.reap(2);
    must_allocate(t, rig,
                  fmt::format("page {} is punched, and page {} written before the punch has ended",
                              pages[0], pages[1]),
                  "fallocate, fallocate, pwritev",
                  "the file is marked when the punch has ended; a write that is begun before that "
                  "does not ask for its space, although the file may have holes by then");
  }
}

}  // namespace

void a_full_disk_before_anything(Test& t) {
  Rig rig(t, {});
  const auto pages = rig.pages(3);
  rig.must_be_ok(rig.run(rig.punch(pages[0])), "the disk has done it", "ring.cpp/Engine::step");
  rig.bench.kernel.clear_log();
  rig.must_be_ok(rig.run(rig.write(pages[0], 1)), not_first, "ring.cpp/Engine::step");
  must_allocate(t, rig, fmt::format("page {} was punched, then it is written", pages[0]),
                "fallocate, pwritev", not_first);
  rig.bench.kernel.fail_next(Call::fallocate, ENOSPC);
  const Op& full = rig.run(rig.write(pages[1], 1));
  const bool unchanged = rig.bench.version_of(pages[1], rig.bench.raw_read(pages[1])) == 0;
  if (!t.holds(full.result == Errc::disk_full && unchanged && rig.file->failed() == Errc::ok)) {
    t.fail({.expected = fmt::format("there is no space for page {}: disk_full, the page as it was, "
                                    "and a file that goes on",
                                    pages[1]),
            .found = fmt::format("{}, the page {}, the file {}", result_of(full),
                                 unchanged ? "as it was" : "written", name_of(rig.file->failed())),
            .cause = "the allocation has failed, so the write must not be made",
            .function = "ring.cpp/Engine::step",
            .evidence = rig.bench.calls()});
  }
  rig.bench.kernel.fail_next(Call::fallocate, EOPNOTSUPP);
  for (const PageId page : {pages[1], pages[2]}) {
    rig.must_be_ok(rig.run(rig.write(page, 1)),
                   "a file system that cannot allocate ahead (EOPNOTSUPP) is written to all the "
                   "same",
                   "ring.cpp/Engine::step");
  }
  marked_before_the_punch(t);
}

}  // namespace pagealloc::labs
