// The parts of the rigs that need no kernel of their own: the log's format, where it may be cut,
// and what is put on a device.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "harness/crash/canaries.h"
#include "harness/crash/rigs/medium.h"
#include "harness/crash/rigs/progress.h"
#include "harness/crash/rigs/trial.h"
#include "harness/crash/rigs/write_log.h"

namespace pagealloc::crash::rigs {
namespace {

constexpr std::uint64_t flush = 1;
constexpr std::uint64_t fua = 2;
constexpr std::uint64_t discard = 4;
constexpr std::uint64_t mark = 8;
constexpr std::size_t sector_bytes = 512;

/// A file that is gone with the test.
class TemporaryFile {
 public:
  TemporaryFile() {
    const int fd = ::mkstemp(path_.data());
    EXPECT_GE(fd, 0);
    ::close(fd);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }
  void write(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary).write(bytes.data(), std::ssize(bytes));
  }
  std::string read() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string path_ = "rigs-test.XXXXXX";
};

/// Writes a log as the kernel's documentation describes it, independently of the code under test.
class LogWriter {
 public:
  void add(std::uint64_t sector, const std::string& data, std::uint64_t flags) {
    const bool text = (flags & mark) != 0;
    std::string entry =
        words({sector, text ? 0 : data.size() / sector_bytes, flags, text ? data.size() : 0});
    if (text) entry += data;
    entry.resize(sector_bytes);
    body_ += entry + (text ? "" : data);
    ++entries_;
  }
  void add_discard(std::uint64_t sector, std::uint64_t sectors) {
    std::string entry = words({sector, sectors, discard, 0});
    entry.resize(sector_bytes);
    body_ += entry;
    ++entries_;
  }
  std::string bytes() const {
    std::string super = words({0x6a736677736872, 1, entries_, sector_bytes});
    super.resize(sector_bytes);
    return super + body_;
  }

 private:
  static std::string words(const std::vector<std::uint64_t>& numbers) {
    std::string bytes(numbers.size() * sizeof numbers[0], '\0');
    std::memcpy(bytes.data(), numbers.data(), bytes.size());
    return bytes;
  }
  std::string body_;
  std::uint64_t entries_ = 0;
};

std::string sector_of(char letter) { return std::string(sector_bytes, letter); }

TEST(Rigs, LogIsReadAndReplayed) {
  LogWriter writer;
  writer.add(1, sector_of('a') + sector_of('b'), 0);
  writer.add(0, "a mark's text", mark);
  writer.add(0, "", flush);
  writer.add(2, sector_of('c'), fua);
  TemporaryFile log_file;
  log_file.write(writer.bytes());
  TemporaryFile base;
  base.write(sector_of('-') + sector_of('-') + sector_of('-') + sector_of('-'));

  const auto log = WriteLog::open(log_file.path());
  ASSERT_TRUE(log) << log.error();
  ASSERT_EQ(log->entries().size(), 4U);
  EXPECT_EQ(cut_points(log->entries()), (std::vector<std::size_t>{3, 4}));
  auto medium = Medium::open(base.path());
  ASSERT_TRUE(medium) << medium.error();
  TemporaryFile device;
  device.write(std::string(5 * sector_bytes, '?'));
  for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(medium->apply(*log, i));
  ASSERT_TRUE(medium->put_on(device.path()));
  EXPECT_EQ(device.read(),
            sector_of('-') + sector_of('a') + sector_of('b') + sector_of('-') + sector_of('?'));
  ASSERT_TRUE(medium->apply(*log, 3));
  ASSERT_TRUE(medium->put_on(device.path()));
  EXPECT_EQ(device.read(),
            sector_of('-') + sector_of('a') + sector_of('c') + sector_of('-') + sector_of('?'));
  EXPECT_EQ(base.read(), sector_of('-') + sector_of('-') + sector_of('-') + sector_of('-'))
      << "the base was changed";
}

// A journal's commit block flushes, and is written past the cache: the power can go in between.
TEST(Rigs, WriteWithFlushIsCutTwice) {
  LogWriter writer;
  writer.add(1, sector_of('a'), 0);
  writer.add(2, sector_of('b'), flush | fua);
  TemporaryFile log_file;
  log_file.write(writer.bytes());
  const auto log = WriteLog::open(log_file.path());
  ASSERT_TRUE(log) << log.error();
  EXPECT_EQ(cut_points(log->entries()), (std::vector<std::size_t>{1, 2}));
}

TEST(Rigs, WhatTheLogCannotSayIsAnError) {
  LogWriter writer;
  writer.add_discard(0, 1);
  writer.add(3, sector_of('a') + sector_of('b'), 0);
  TemporaryFile log_file;
  log_file.write(writer.bytes());
  TemporaryFile base;
  base.write(std::string(4 * sector_bytes, '-'));
  const auto log = WriteLog::open(log_file.path());
  ASSERT_TRUE(log) << log.error();
  auto medium = Medium::open(base.path());
  ASSERT_TRUE(medium) << medium.error();
  EXPECT_FALSE(medium->apply(*log, 0)) << "a discard leaves anything";
  EXPECT_FALSE(medium->apply(*log, 1)) << "half of it is past the end";

  log_file.write(writer.bytes().substr(0, 4 * sector_bytes));
  const auto cut_off = WriteLog::open(log_file.path());
  ASSERT_TRUE(cut_off) << cut_off.error();
  EXPECT_FALSE(cut_off->data(1)) << "the log ends inside of it";
  log_file.write(sector_of('x'));
  EXPECT_FALSE(WriteLog::open(log_file.path())) << "no log at all";
}

TEST(Rigs, ProgressIsReadAsItWasNoted) {
  TemporaryFile file;
  auto notes = ProgressFile::open(file.path(), sector_bytes);
  ASSERT_TRUE(notes) << notes.error();
  ASSERT_TRUE(notes->note({.submitted = 12, .acknowledged = 11}));
  const std::string bytes = file.read().substr(sector_bytes);
  EXPECT_EQ(bytes.substr(0, bytes.find('\n')), "pagealloc-mark 12 11");
  const std::string other = sector_of('9');
  const auto noted = progress_of(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(noted);
  EXPECT_EQ(noted->submitted, 12U);
  EXPECT_EQ(noted->acknowledged, 11U);
  EXPECT_FALSE(progress_of(std::as_bytes(std::span(other))));
}

TEST(Rigs, JudgementKnowsTheBounds) {
  TemporaryFile file;
  TemporaryFile notes;
  ::unlink(file.path().c_str());
  const Subject subject{.kind = &correct(), .options = {}, .path = file.path()};
  const auto done = run(subject, {.progress_path = notes.path(), .commits = 3});
  ASSERT_TRUE(done) << done.error();
  EXPECT_FALSE(judge(subject, {.submitted = 3, .acknowledged = 3}).lost);
  EXPECT_FALSE(judge(subject, {.submitted = 4, .acknowledged = 2}).lost);
  EXPECT_TRUE(judge(subject, {.submitted = 5, .acknowledged = 4}).lost) << "commit 4 is gone";
  EXPECT_TRUE(judge(subject, {.submitted = 2, .acknowledged = 2}).lost) << "3 was never submitted";
}

}  // namespace
}  // namespace pagealloc::crash::rigs
