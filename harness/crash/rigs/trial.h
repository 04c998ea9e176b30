// A store put to the test on the kernel that runs here: it commits, something happens to its disk,
// and what is left is judged.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "harness/crash/rigs/progress.h"
#include "harness/crash/rigs/write_log.h"
#include "harness/crash/store.h"

namespace pagealloc::crash::rigs {

/// What is put to the test, and where its file is.
struct Subject {
  const StoreKind* kind;
  Options options;
  std::string path;
};

struct Run {
  std::string progress_path;
  std::uint64_t progress_offset_bytes = 0;
  std::uint64_t commits = 0;   ///< 0: until it is killed
  std::uint64_t announce = 0;  ///< prints a line at this one, for a script that waits; 0: never
};

/// Commits 1, 2, 3 ..., noting each before it is submitted and after it is acknowledged.
std::expected<void, std::string> run(const Subject& subject, const Run& run);

struct Judgement {
  bool lost;
  std::string text;  ///< "recovered 7, acknowledged 7, submitted 8", or the error's line
};

/// Opens what is left: the commit found must be at least the last acknowledged and at most the last
/// submitted, and all its bytes must be there.
Judgement judge(const Subject& subject, const Progress& progress);

/// Where media of a logged run are put and mounted, one after the other.
struct Bench {
  std::string log;     ///< of the run
  std::string base;    ///< the file system before it, an image
  std::string device;  ///< overwritten
  std::string mount_point;
  std::string file_system;              ///< "ext4", "xfs"
  std::uint64_t progress_offset_bytes;  ///< where the run noted its progress
};

struct Tally {
  std::uint64_t cuts = 0;
  std::uint64_t lost = 0;
  std::string first;  ///< what the first loss was
};

/// Judges every medium that a power cut can leave. What was acknowledged before the *next* such
/// point must be there: until then this is what the power leaves. A `subject.path` of "x" is the
/// file x in the mounted file system.
std::expected<Tally, std::string> judge_log(const Subject& subject, const Bench& bench);

/// The shortest prefix of the log that a cut can leave once commit 1 is acknowledged.
std::expected<std::size_t, std::string> least_after_note(const WriteLog& log,
                                                         std::uint64_t progress_offset_bytes);

}  // namespace pagealloc::crash::rigs
