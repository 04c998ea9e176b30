// One of the six, on the simulated machine or on this one: what it claims, and what was counted.
//
// usage: lab_00_run PROGRAM [--mended] [--dir DIR | --seed N] [--trace]
//
// --dir runs it on this machine, on a file in DIR. --trace shows what the simulated machine was
// first asked for between start() and stop().
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "labs/00_measure/lies/lies.h"
#include "labs/00_measure/mended.h"
#include "labs/00_measure/tests/counted_bench.h"

namespace {

using namespace pagealloc;
using namespace pagealloc::labs::measure;

/// Bytes that a device was asked for by this process (proc(5), /proc/PID/io); nothing where the
/// kernel does not count them.
std::optional<std::uint64_t> device_bytes() {
  std::ifstream file("/proc/self/io");
  std::string name;
  for (std::uint64_t number = 0; file >> name >> number;) {
    if (name == "read_bytes:") return number;
  }
  return {};
}

/// This machine. What cannot be counted here stays without a value.
class HostBench final : public Bench {
 public:
  explicit HostBench(const std::string& directory) : path_(directory + "/pagealloc-lab-00.pa") {}
  ~HostBench() override { std::filesystem::remove(path_); }

  os::Kernel& kernel() override { return os::linux_kernel(); }
  std::string path() const override { return path_; }
  std::uint64_t pages() const override { return file_pages; }
  Options options(std::string_view impl) override {
    Options options;
    options.impl = impl;
    options.create = true;
    options.kernel = &os::linux_kernel();
    options.access = Access::random;  // or readahead brings in what nobody asked for
    return options;
  }
  std::span<const std::byte> content(PageId page) override {
    for (std::size_t at = 0; at < content_.size(); at += sizeof page) {
      const std::uint64_t word = harness::mix(page << 16 ^ at ^ std::uint64_t{started_} << 60);
      std::memcpy(content_.data() + at, &word, sizeof word);
    }
    return content_;
  }
  PageId page_at(std::uint64_t index) const override { return order_[index]; }
  void start(std::string_view side) override {
    started_ = true;
    side_ = side;
    bytes_ = device_bytes();
    calls_ = kernel().calls();
    begun_ = std::chrono::steady_clock::now();
  }
  void stop() override {
    const auto length = std::chrono::steady_clock::now() - begun_;
    const double us = std::chrono::duration<double, std::micro>(length).count();
    fmt::print("{}{:.2f} us for each of {} pages\n", side_.empty() ? "" : side_ + ": ",
               us / file_pages, file_pages);
    const auto calls = kernel().calls();
    std::uint64_t syncs = 0;
    for (const auto call : {os::Call::fdatasync, os::Call::fsync, os::Call::msync}) {
      syncs += calls[call] - calls_[call];
    }
    const auto bytes = device_bytes();
    fmt::print(
        "  asked of the device: {}; calls of fsync and the like: {}\n",
        bytes && bytes_ ? fmt::format("{} pages", (*bytes - *bytes_) / page_bytes) : "unknown",
        syncs);
  }
  void done(PageId) override {}

 private:
  static constexpr std::uint64_t file_pages = 4096;
  std::string path_;
  harness::Sequence order_{file_pages, 1};
  std::vector<std::byte> content_ = std::vector<std::byte>(page_bytes);
  bool started_ = false;
  std::string side_;
  std::optional<std::uint64_t> bytes_;
  os::CallCounts calls_ = {};
  std::chrono::steady_clock::time_point begun_;
};

int failed(const Error& error) {
  fmt::print(stderr, "it ended with an error: {}\n", error.text());
  return 1;
}

void show(const Report& report) {
  for (const Group& group : report.groups) {
    fmt::print("{} reads: {} ns\n", group.count, group.median_ns);
  }
}

constexpr std::array mended = {mended_a, mended_b, mended_c, mended_d, mended_e, mended_f};

}  // namespace

int main(int count, char** arguments) {
  std::uint64_t seed = 1;
  std::string directory;
  bool honest = false;
  bool trace = false;
  const Program* program = nullptr;
  for (int i = 1; i < count; ++i) {
    const std::string_view word(arguments[i]);
    const bool more = i + 1 < count;
    if (word == "--mended") {
      honest = true;
    } else if (word == "--trace") {
      trace = true;
    } else if (word == "--seed" && more) {
      seed = std::strtoull(arguments[++i], nullptr, 10);
    } else if (word == "--dir" && more) {
      directory = arguments[++i];
    } else if (word.size() == 1 && word[0] >= 'a' && word[0] <= 'f') {
      program = &programs[static_cast<std::size_t>(word[0] - 'a')];
    } else {
      program = nullptr;
      break;
    }
  }
  if (program == nullptr) {
    fmt::print(stderr,
               "usage: {} PROGRAM [--mended] [--dir DIR | --seed N] [--trace]; PROGRAM is a to f\n",
               arguments[0]);
    return 2;
  }
  const auto run = honest ? mended[static_cast<std::size_t>(program->letter - 'a')] : program->run;
  fmt::print("{}{}, \"{}\"\n\n", honest ? "mended_" : "", program->letter, program->says);
  if (!directory.empty()) {
    HostBench bench(directory);
    const auto report = run(bench);
    if (!report) return failed(report.error());
    show(*report);
    return 0;
  }
  CountedBench bench({.seed = seed, .claim = program->claim});
  const auto report = run(bench);
  if (!report) return failed(report.error());
  fmt::print("{}", text_of(program->claim, bench.counts(*report)));
  show(*report);
  for (const auto& section : bench.sections()) {
    if (section.name.empty()) continue;
    const auto ns = static_cast<double>(section.ended_ns - section.begun_ns);
    fmt::print("{}: {:.2f} us for each page\n", section.name,
               ns / 1000 / static_cast<double>(bench.pages()));
  }
  constexpr std::size_t lines = 9;
  for (const auto& section : bench.sections()) {
    if (!trace) break;
    const std::size_t shown = std::min(lines, section.last_event - section.first_event);
    fmt::print("\n{}{}{}", section.name, section.name.empty() ? "" : "\n",
               events_before(bench, section.first_event + shown, shown));
  }
  return 0;
}
