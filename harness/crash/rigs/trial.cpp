#include "harness/crash/rigs/trial.h"

#include <fmt/format.h>
#include <sys/mount.h>

#include <cstdio>
#include <vector>

#include "harness/crash/oracle.h"
#include "harness/crash/rigs/medium.h"
#include "harness/crash/rigs/trouble.h"

namespace pagealloc::crash::rigs {

namespace {

/// Mounted as long as it lives.
class Mount {
 public:
  static std::expected<Mount, std::string> make(const Bench& bench) {
    if (::mount(bench.device.c_str(), bench.mount_point.c_str(), bench.file_system.c_str(), 0,
                "") != 0) {
      return trouble("{}: cannot mount on {}", bench.device, bench.mount_point);
    }
    return Mount(bench.mount_point);
  }
  Mount(Mount&& other) noexcept : point_(std::exchange(other.point_, {})) {}
  Mount& operator=(Mount&&) = delete;
  ~Mount() {
    if (!point_.empty()) (void)end();
  }
  std::expected<void, std::string> end() {
    const std::string point = std::exchange(point_, {});
    if (::umount(point.c_str()) != 0) return trouble("{}: cannot unmount", point);
    return {};
  }

 private:
  explicit Mount(std::string point) : point_(std::move(point)) {}
  std::string point_;
};

/// What had been noted before entry `end` of the log, counting on from `progress`, entry `begin`.
std::expected<void, std::string> follow(const WriteLog& log, std::size_t begin, std::size_t end,
                                        std::uint64_t offset_bytes, Progress& progress) {
  for (std::size_t i = begin; i < end; ++i) {
    if (!log.entries()[i].writes() || log.entries()[i].offset_bytes != offset_bytes) continue;
    const auto record = log.data(i);
    if (!record) return std::unexpected(record.error());
    const auto noted = progress_of(*record);
    if (!noted) return std::unexpected(fmt::format("{}: entry {} is no note", log.path(), i));
    progress = *noted;
  }
  return {};
}

std::expected<Judgement, std::string> judge_medium(const Subject& subject, const Bench& bench,
                                                   const Medium& medium, const Progress& progress) {
  if (auto put = medium.put_on(bench.device); !put) return std::unexpected(put.error());
  auto mount = Mount::make(bench);
  // A file system that does not come back is a failure of the rig, not a verdict on the store.
  if (!mount) return std::unexpected(mount.error());
  Subject here = subject;
  here.path = bench.mount_point + "/" + subject.path;
  Judgement judgement = judge(here, progress);
  if (auto ended = mount->end(); !ended) return std::unexpected(ended.error());
  return judgement;
}

}  // namespace

std::expected<void, std::string> run(const Subject& subject, const Run& run) {
  auto notes = ProgressFile::open(run.progress_path, run.progress_offset_bytes);
  if (!notes) return std::unexpected(notes.error());
  if (auto noted = notes->note({}); !noted) return noted;
  const auto store = subject.kind->make();
  if (auto open = store->open(subject.path, subject.options); !open) {
    return std::unexpected(open.error().text());
  }
  for (std::uint64_t number = store->last() + 1; run.commits == 0 || number <= run.commits;
       ++number) {
    if (auto noted = notes->note({number, number - 1}); !noted) return noted;
    if (auto done = store->commit(number); !done) return std::unexpected(done.error().text());
    if (auto noted = notes->note({number, number}); !noted) return noted;
    if (number == run.announce) {
      fmt::print("acknowledged {}\n", number);
      if (std::fflush(stdout) != 0) return trouble("stdout");
    }
  }
  return {};
}

Judgement judge(const Subject& subject, const Progress& progress) {
  const auto store = subject.kind->make();
  const Bounds bounds{progress.acknowledged, progress.submitted};
  const auto wrong = look(*subject.kind, *store, subject.path, subject.options, bounds);
  return {.lost = wrong.has_value(),
          .text = fmt::format("{}; acknowledged {}, submitted {}",
                              wrong ? wrong->found : fmt::format("recovered {}", store->last()),
                              bounds.acknowledged, bounds.submitted)};
}

std::expected<Tally, std::string> judge_log(const Subject& subject, const Bench& bench) {
  const auto log = WriteLog::open(bench.log);
  if (!log) return std::unexpected(log.error());
  auto medium = Medium::open(bench.base);
  if (!medium) return std::unexpected(medium.error());
  const auto points = cut_points(log->entries());
  if (points.empty()) return std::unexpected(bench.log + ": no flush in it");
  Tally tally;
  Progress progress;
  std::size_t applied = 0;
  std::size_t noted = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (; applied < points[i]; ++applied) {
      if (auto done = medium->apply(*log, applied); !done) return std::unexpected(done.error());
    }
    const std::size_t next = i + 1 < points.size() ? points[i + 1] : log->entries().size();
    if (auto done = follow(*log, noted, next, bench.progress_offset_bytes, progress); !done) {
      return std::unexpected(done.error());
    }
    noted = next;
    const auto judgement = judge_medium(subject, bench, *medium, progress);
    if (!judgement) return std::unexpected(judgement.error());
    ++tally.cuts;
    if (!judgement->lost) continue;
    if (++tally.lost == 1) {
      tally.first = fmt::format("after {} writes of the log: {}", points[i], judgement->text);
    }
  }
  if (progress.acknowledged == 0) {
    return std::unexpected(bench.log + ": nothing was acknowledged, so nothing was tested");
  }
  return tally;
}

std::expected<std::size_t, std::string> least_after_note(const WriteLog& log,
                                                         std::uint64_t progress_offset_bytes) {
  Progress progress;
  std::size_t note = 0;
  for (; progress.acknowledged == 0; ++note) {
    if (note == log.entries().size()) return std::unexpected(log.path() + ": no commit is noted");
    if (auto read = follow(log, note, note + 1, progress_offset_bytes, progress); !read) {
      return std::unexpected(read.error());
    }
  }
  std::size_t least = 0;
  for (const std::size_t point : cut_points(log.entries())) {
    if (point < note) least = point;
  }
  return least;
}

}  // namespace pagealloc::crash::rigs
