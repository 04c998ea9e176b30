// Tasks 6 and 7: what open() serves survives a power cut, and so does the file's name.
#include <fmt/format.h>

#include <cerrno>
#include <filesystem>

#include "labs/01_pages/tests/common.h"
#include "labs/01_pages/tests/tests.h"

namespace pagealloc::labs {

using os::Call;
using os::sim::Fault;

namespace {

constexpr std::size_t cuts_count = 64;
constexpr const char* new_path = "/d/new.pa";
constexpr const char* make_durable = "SharedFile::make_durable";
constexpr const char* sync_name = "SharedFile::sync_name";

Result<std::shared_ptr<SharedFile>> open_synced(Bench& bench, const std::string& path,
                                                bool create) {
  Options options = bench.options();
  options.sync_at_open = true;
  options.create = create;
  auto file = SharedFile::open(path, options, Direct::off);
  if (file) (*file)->keep();
  return file;
}

std::string text_of(const Result<std::shared_ptr<SharedFile>>& opened) {
  if (opened) return "success";
  return labs::text_of(opened.error().code, opened.error().os_error);
}

void check_opened(Test& t, Bench& bench, const Result<std::shared_ptr<SharedFile>>& opened,
                  const char* function, const char* what, const char* cause) {
  if (t.holds(opened.has_value())) return;
  t.fail({.expected = fmt::format("{}: success", what),
          .found = text_of(opened),
          .cause = cause,
          .function = function,
          .evidence = bench.calls()});
}

void check_failed(Test& t, Bench& bench, const Result<std::shared_ptr<SharedFile>>& opened,
                  Errc code, int os_error, const char* function, const char* what,
                  const char* cause) {
  const bool good = !opened && opened.error().code == code && opened.error().os_error == os_error;
  if (t.holds(good)) return;
  const bool name_only = !opened && opened.error().os_error == os_error;
  t.fail({.expected = fmt::format("{}: open() fails with {}", what, labs::text_of(code, os_error)),
          .found = text_of(opened),
          .cause = name_only ? "open() fails, as it must, and by another name: errc_of_open() "
                               "(error.h) names an errno of open, and a failed sync is io"
                             : cause,
          .function = function,
          .evidence = bench.calls()});
}

void check_bytes(Test& t, Bench& bench, PageId page, const char* cause) {
  const auto lost = bench.lost(bench.cuts(cuts_count), page, 1);
  if (t.holds(lost.count == 0)) return;
  t.fail({.expected = fmt::format("page {} is version 1 after the power cut: open() has succeeded, "
                                  "and whoever opened the file reads version 1",
                                  page),
          .found = fmt::format("it is not in {} of {} cuts", lost.count, cuts_count),
          .cause = cause,
          .function = make_durable,
          .evidence = picture_of(page, lost.first, 1, {{0, 1}}) + history(bench)});
}

/// fsync answers this `times` times, and it is no failure: the bytes are durable all the same.
struct NoFailure {
  int os_error;
  unsigned times;
  const char* what;
  const char* cause;
};

constexpr const char* signal_cause =
    "a signal is nobody's failure: fsync is made again for as long as it answers EINTR. fsync_all "
    "does that";
constexpr const char* no_fsync_cause =
    "with EINVAL fsync says that this file system has no fsync; nothing more can be asked for, so "
    "the file can be opened. fsync_all knows it";
constexpr const char* given_up_cause =
    "EROFS is not EINVAL: a file system that has given up writing after an error answers so, and "
    "what the page cache has of it may never be durable";

constexpr NoFailure no_failures[] = {
    {EINTR, 2, "is interrupted twice", signal_cause},
    {EINVAL, 1, "answers EINVAL", no_fsync_cause},
};

/// Of all calls of fsync those after the first `skip` answer so.
void plan(Bench& bench, const NoFailure& each, unsigned skip) {
  for (unsigned i = 0; i < each.times; ++i) {
    bench.kernel.fail_next(Call::fsync, each.os_error, i == 0 ? skip : 0);
  }
}

void check_no_failure_of_file(Test& t, const NoFailure& each) {
  const PageId page = t.random().below(8);
  Bench bench(t);
  bench.raw_write(page, 1);
  plan(bench, each, 0);
  const auto file = open_synced(bench, bench_path, false);
  check_opened(t, bench, file, make_durable,
               fmt::format("the fsync of the file {}", each.what).c_str(), each.cause);
  if (each.os_error == EINTR) {
    check_bytes(t, bench, page, "an fsync that was interrupted is taken for one that succeeded");
  }
}

}  // namespace

void open_makes_bytes_durable(Test& t) {
  const PageId page = t.random().below(8);
  const char* const nothing_failed = "fsync has succeeded; nothing of this open has failed";
  {
    Bench bench(t);
    bench.raw_write(page, 1);  // by a process that then died, without a sync
    const auto file = open_synced(bench, bench_path, false);
    check_opened(t, bench, file, make_durable, "a file that is there", nothing_failed);
    check_bytes(t, bench, page,
                "a file that exists already is not synced. Whoever wrote it may have died before "
                "its own sync");
  }
  {
    Bench bench(t);
    bench.raw_write(page, 1);
    os::sim::FaultRates faults;
    faults[Fault::sync_error] = 1;
    bench.sim.set_faults(faults);
    const auto file = open_synced(bench, bench_path, false);
    bench.sim.set_faults({});
    check_failed(t, bench, file, Errc::io, EIO, make_durable,
                 "what the page cache has of this file could not be written",
                 "the answer of fsync is dropped: what the page cache has of this file could not "
                 "be written, and open() handed it out");
    if (!t.holds(!bench.sim.serves_what_was_lost())) {
      t.fail({.expected = "nobody reads what was lost",
              .found = fmt::format("open() fails, and the page cache still serves page {}, "
                                   "version 1",
                                   page),
              .cause = "the next opener's fsync will succeed, because the page is clean now. Who "
                       "has been told of the loss must make the kernel forget (forget_cache)",
              .function = make_durable,
              .evidence = bench.calls()});
    }
  }
  for (const NoFailure& each : no_failures) check_no_failure_of_file(t, each);
  {
    Bench bench(t);
    bench.raw_write(page, 1);
    bench.kernel.fail_next(Call::fsync, EROFS);
    const auto file = open_synced(bench, bench_path, false);
    check_failed(t, bench, file, Errc::io, EROFS, make_durable,
                 "the fsync of the file answers EROFS", given_up_cause);
  }
  Bench bench(t);
  const auto file = opened(t, bench);
  const std::size_t syncs = bench.kernel.count(Call::fsync) + bench.kernel.count(Call::fdatasync);
  if (!t.holds(syncs == 0)) {
    t.fail({.expected = "an open with sync_at_open false: no sync",
            .found = calls_text(syncs, "fsync or fdatasync"),
            .cause = "scratch files are opened so, whose loss does not matter",
            .function = make_durable,
            .evidence = bench.calls()});
  }
}

namespace {

void check_name(Test& t, Bench& bench, const std::string& path, const char* cause,
                const char* function) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  const auto images = bench.cuts(cuts_count);
  const std::size_t gone = Bench::nameless(images, path);
  if (t.holds(gone == 0)) return;
  t.fail({.expected = fmt::format("{} is there after the power cut: open() has succeeded", path),
          .found = fmt::format("there is no such file in {} of {} cuts. Its name is an entry of "
                               "{}, and {} was not synced",
                               gone, cuts_count, directory, directory),
          .cause = cause,
          .function = function,
          .evidence = bench.calls() + history(bench)});
}

/// A process makes the file, writes it and syncs it, and dies before it has synced the directory.
void leave_behind(Bench& bench, const std::string& path) {
  const int fd = bench.sim.open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  auto bytes = pattern(0, 1);
  const iovec iov{bytes.data(), bytes.size()};
  (void)bench.sim.pwritev(fd, &iov, 1, 0);
  (void)bench.sim.fsync(fd);
  (void)bench.sim.close(fd);
}

/// The machine's working directory is "/".
void check_relative(Test& t) {
  Bench bench(t);
  const auto file = open_synced(bench, "new.pa", true);
  check_opened(t, bench, file, sync_name, "a new file whose path is new.pa, without a slash",
               "parent_path() of a path without a slash is empty, and an empty path names nothing: "
               "open answers ENOENT. The directory of such a file is .");
  check_name(t, bench, "/new.pa",
             "a path without a slash has a directory, too: the one that the process works in",
             sync_name);
}

}  // namespace

void open_makes_the_name_durable(Test& t) {
  const char* const nothing_failed = "nothing of this open has failed";
  {
    Bench bench(t);
    const auto file = open_synced(bench, new_path, true);
    check_opened(t, bench, file, sync_name, "a new file", nothing_failed);
    check_name(t, bench, new_path,
               "the file's fsync covers its bytes and not its name (fsync(2), DESCRIPTION): the "
               "directory needs an fsync of its own",
               sync_name);
  }
  {
    const std::string left = "/d/left.pa";
    Bench bench(t);
    leave_behind(bench, left);
    const auto file = open_synced(bench, left, false);
    check_opened(t, bench, file, sync_name, "a file that another process has made", nothing_failed);
    check_name(t, bench, left,
               "the directory is synced only for a file that this open has made. Another process "
               "has made this one, and may have died before it came to that",
               make_durable);
    const auto lost = bench.lost(bench.cuts(cuts_count), 0, 1, left);
    if (!t.holds(lost.count == 0)) {
      t.fail({.expected = "the file has its bytes after the power cut",
              .found = fmt::format("it has not in {} of {} cuts", lost.count, cuts_count),
              .cause = "its bytes were durable before; nothing may be written by an open",
              .function = make_durable,
              .evidence = bench.calls()});
    }
  }
  check_relative(t);
  Bench bench(t);
  const std::string real = "/d/real.pa";
  bench.sim.make("/l.pa", os::sim::FileKind::link, real);
  const auto file = open_synced(bench, "/l.pa", true);
  check_opened(t, bench, file, sync_name, "a symbolic link that leads to a new file",
               nothing_failed);
  check_name(t, bench, real,
             "the directory of the path is synced, and not the file's own: in / lies only the "
             "link, which is somebody else's and durable already (own_name)",
             sync_name);
}

namespace {

/// What goes wrong with the directory of a file, and what open() makes of it.
struct Mishap {
  Call call;
  int os_error;
  unsigned skip;  ///< calls before it that concern the file itself
  Errc expected;
  const char* what;
  const char* cause;
};

/// Only the file itself is open, if that: the descriptor of the directory is closed on every way
/// out.
void check_closed(Test& t, Bench& bench, const os::CallCounts& before, std::uint64_t open_files,
                  const char* what) {
  const os::CallCounts after = bench.sim.calls();
  const std::uint64_t opens = after[Call::open] - before[Call::open];
  const std::uint64_t closes = after[Call::close] - before[Call::close];
  if (t.holds(opens - closes == open_files)) return;
  t.fail({.expected = fmt::format("{}: {} descriptors are opened, and {} closed before open() is "
                                  "over",
                                  what, opens, opens - open_files),
          .found = fmt::format("{} closed", closes),
          .cause = "the descriptor of the directory stays open: after enough opens there are none "
                   "left",
          .function = sync_name,
          .evidence = bench.calls()});
}

void check_nothing_stays_open(Test& t) {
  {
    Bench bench(t);
    bench.kernel.log_all(true);
    const os::CallCounts before = bench.sim.calls();
    const auto file = open_synced(bench, new_path, true);
    check_opened(t, bench, file, sync_name, "a new file", "nothing of this open has failed");
    check_closed(t, bench, before, 1, "a new file");
  }
  Bench bench(t);
  bench.kernel.log_all(true);
  const os::CallCounts before = bench.sim.calls();
  bench.kernel.fail_next(Call::fsync, EIO, 1);
  (void)open_synced(bench, bench_path, false);
  check_closed(t, bench, before, 0, "the directory could not be synced");
}

void check_mishap(Test& t, const Mishap& each) {
  Bench bench(t);
  bench.kernel.fail_next(each.call, each.os_error, each.skip);
  // The file is there already: one that open() has made it takes away again, and syncs that.
  const auto file = open_synced(bench, bench_path, false);
  check_failed(t, bench, file, each.expected, each.os_error, sync_name, each.what, each.cause);
}

void check_unreadable(Test& t, bool syncfs_fails) {
  Bench bench(t);
  bench.kernel.fail_next(Call::open, EACCES, 1);
  if (syncfs_fails) bench.kernel.fail_next(Call::syncfs, EIO);
  const auto file = open_synced(bench, syncfs_fails ? bench_path : new_path, !syncfs_fails);
  const char* const cause =
      "no permission to read the directory is not the same as nothing to sync. syncfs(2) on the "
      "file's own descriptor covers the whole file system";
  if (syncfs_fails) {
    return check_failed(t, bench, file, Errc::io, EIO, sync_name,
                        "the directory may be passed through and not read, and syncfs has failed",
                        "the answer of syncfs is dropped; it stands for the directory's fsync");
  }
  check_opened(t, bench, file, sync_name, "the directory may be passed through and not read",
               "EACCES from the directory's open is not the end: syncfs(2) on the file's own "
               "descriptor covers the name, too");
  const std::size_t gone = Bench::nameless(bench.cuts(cuts_count), new_path);
  if (!t.holds(gone == 0 && bench.kernel.count(Call::syncfs) == 1)) {
    t.fail({.expected = "the directory may be passed through and not read: success, by syncfs",
            .found = fmt::format("success, after {}; the file is gone in {} of {} "
                                 "cuts",
                                 calls_text(bench.kernel.count(Call::syncfs), "syncfs"), gone,
                                 cuts_count),
            .cause = cause,
            .function = sync_name,
            .evidence = bench.calls()});
  }
}

/// The file's fsync comes before, and succeeds.
void check_no_failure_of_directory(Test& t, const NoFailure& each) {
  Bench bench(t);
  plan(bench, each, 1);
  const auto file = open_synced(bench, new_path, true);
  check_opened(t, bench, file, sync_name,
               fmt::format("the fsync of the directory {}", each.what).c_str(), each.cause);
  if (each.os_error == EINTR) check_name(t, bench, new_path, each.cause, sync_name);
}

void check_syncfs_interrupted(Test& t) {
  Bench bench(t);
  bench.kernel.fail_next(Call::open, EACCES, 1);
  bench.kernel.fail_next(Call::syncfs, EINTR);
  bench.kernel.fail_next(Call::syncfs, EINTR);
  const auto file = open_synced(bench, new_path, true);
  const char* const cause =
      "a signal is nobody's failure, and syncfs can be interrupted as well as fsync: "
      "`uninterrupted` makes the call again";
  check_opened(t, bench, file, sync_name, "signals come while syncfs stands for the directory",
               cause);
  check_name(t, bench, new_path, cause, sync_name);
}

}  // namespace

void directory_goes_wrong(Test& t) {
  {
    Bench bench(t);
    bench.kernel.fail_next(Call::open, EINTR, 1);
    const auto file = open_synced(bench, new_path, true);
    const char* const cause =
        "opening a directory can be interrupted, too; `uninterrupted` makes the call again";
    check_opened(t, bench, file, sync_name, "a signal comes while the directory is opened", cause);
    if (!t.holds(bench.kernel.count(Call::open) == 3)) {
      t.fail({.expected = "three calls of open: the file's, and the directory's twice",
              .found = calls_text(bench.kernel.count(Call::open), "open"),
              .cause = cause,
              .function = sync_name,
              .evidence = bench.calls()});
    }
  }
  check_unreadable(t, false);
  check_unreadable(t, true);
  check_mishap(
      t, {Call::open, EMFILE, 1, Errc::cannot_open, "there is no descriptor left for the directory",
          "EACCES has another way, syncfs; other errors have none, and without the "
          "directory the name is not durable"});
  check_mishap(t, {Call::fsync, EIO, 1, Errc::io, "the directory could not be synced",
                   "the answer of the directory's fsync is dropped"});
  check_mishap(t, {Call::fsync, EROFS, 1, Errc::io, "the fsync of the directory answers EROFS",
                   given_up_cause});
  for (const NoFailure& each : no_failures) check_no_failure_of_directory(t, each);
  check_syncfs_interrupted(t);
  check_nothing_stays_open(t);
}

}  // namespace pagealloc::labs
