#include "harness/campaign.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <regex>
#include <thread>

#include "harness/fio.h"
#include "harness/machine.h"
#include "harness/workload.h"

namespace pagealloc::harness {

std::atomic<bool> interrupted = false;

namespace {

constexpr std::uint64_t mebibyte = 1ULL << 20;
constexpr std::uint64_t write_file_bytes = 256 * mebibyte;
// On the simulated machine nothing is too fast to be timed, and each operation costs this one a
// microsecond. Of the file that is written every sync compares what was stored into its map.
constexpr std::uint64_t simulated_read_bytes = 32 * mebibyte;
constexpr std::uint64_t simulated_write_bytes = 4 * mebibyte;

/// Time that one side of one pair should take. Shorter ones drown in fio's own millisecond clock.
double seconds_of(Mode mode) {
  switch (mode) {
    case Mode::quick:
      return 0.1;
    case Mode::standard:
      return 0.25;
    case Mode::full:
      return 1.0;
  }
  return 0.25;
}

std::uint32_t rounds_of(Mode mode) {
  switch (mode) {
    case Mode::quick:
      return 4;
    case Mode::standard:
      return 5;
    case Mode::full:
      return 10;
  }
  return 5;
}

/// The same number of whole batches for each thread, at least one.
std::uint64_t whole_batches(const Job& job, std::uint64_t ops) {
  const std::uint64_t unit = std::max<std::uint64_t>(job.batch, 1) * job.threads;
  return std::max<std::uint64_t>(ops / unit, 1) * unit;
}

std::uint64_t file_bytes_of(Mode mode) {
  switch (mode) {
    case Mode::quick:
      return 256 * mebibyte;
    case Mode::standard:
    case Mode::full:  // a longer one fio's mmap engine would map piece by piece
      return 1024 * mebibyte;
  }
  return 1024 * mebibyte;
}

/// Of a virtual disk the host allows so much, and a rest is saved up: with 128 reads in flight
/// those after a rest are 2 to 3 % faster, and the disk rests while fio starts.
void rest_as_long_as_fio_starts() { std::this_thread::sleep_for(std::chrono::milliseconds(150)); }

constexpr std::string_view no_fio = "not available here: fio runs on Linux";

/// What the simulated machine has no time for would be measured as free. Empty: it can be measured.
std::string unavailable_on_machine(const Job& job) {
  const bool writes = job.workload == Workload::durable_write;
  if (job.noise) return std::string(no_fio);
  if (job.handles) {
    return "not available here: the simulated machine has one thread and a pool's workers, so "
           "nobody else can have a handle";
  }
  if (job.options.impl == "mmap" && !writes) {
    return "not available here: touching a map takes no time on the simulated machine";
  }
  if (job.workload == Workload::random_warm && job.depth > 1) {
    return "not available here: the simulated machine copies all that a ring has under way at "
           "once, as if it had a processor for each";
  }
  return {};
}

/// A full run reads a million warm pages, none of them twice.
constexpr std::uint64_t full_warm_bytes = 4096 * mebibyte;

}  // namespace

bool Plan::wants(const std::string& name) const {
  return filter.empty() || std::regex_search(name, std::regex(filter));
}

Campaign::Campaign(const Plan& plan)
    : plan_(plan), rounds_(plan.rounds != 0 ? plan.rounds : rounds_of(plan.mode)) {
  if (plan.machine) machine_ = std::make_unique<os::sim::SimKernel>(*plan.machine);
  for (Job& job : jobs_of(plan.mode, plan.page_bytes)) {
    if (!plan.wants(job.name())) continue;
    Series series;
    series.reason = job.unavailable;
    if (machine_ && series.reason.empty()) series.reason = unavailable_on_machine(job);
    if (machine_ && !job.peer.empty()) series.peer_reason = no_fio;
    series.job = std::move(job);
    all_.push_back(std::move(series));
  }
}

os::Kernel& Campaign::kernel() const {
  if (machine_ == nullptr) return os::linux_kernel();
  return *machine_;
}

/// What suits the mode and fits on the disk and into memory.
std::uint64_t Campaign::suitable_file_bytes() const {
  if (machine_ != nullptr) return simulated_read_bytes;
  const std::uint64_t free_bytes = disk_free_bytes(plan_.directory);
  // 100 GB where there is room: no page cache of a small machine holds that.
  constexpr std::uint64_t huge_bytes = 100'000'000'000;
  if (plan_.mode == Mode::full && free_bytes > huge_bytes + huge_bytes / 5) {
    return huge_bytes / (4 * mebibyte) * (4 * mebibyte);
  }
  // Warm reads need their file in memory twice over, and the disk should not be filled.
  const std::uint64_t room = std::min(memory_available_bytes() / 2, free_bytes / 3);
  return std::min(file_bytes_of(plan_.mode), std::bit_floor(room));
}

std::expected<void, std::string> Campaign::choose_file_bytes() {
  if (plan_.file_bytes == 0) plan_.file_bytes = suitable_file_bytes();
  plan_.file_bytes -= plan_.file_bytes % plan_.page_bytes;
  if (plan_.file_bytes >= 16 * mebibyte) return {};
  std::string room;
  if (machine_ == nullptr) {
    room = fmt::format("; {} bytes of disk and {} of memory are free",
                       disk_free_bytes(plan_.directory), memory_available_bytes());
  }
  return std::unexpected(fmt::format("{}: a file of {} bytes is too small to measure{}",
                                     plan_.directory, plan_.file_bytes, room));
}

std::expected<void, std::string> Campaign::make_files(Progress& progress) {
  const bool host = machine_ == nullptr;
  const auto make = [&](const char* name, std::uint64_t bytes) {
    const std::string directory = host ? directory_->path() : "";
    return Scratch::make(
        kernel(), directory + "/" + name, bytes, plan_.page_bytes, [&](double share) {
          progress.note(fmt::format("writing {} MiB of real data", bytes / mebibyte), share);
          return !interrupted.load();
        });
  };
  auto read_file = make("read.pa", plan_.file_bytes);
  if (!read_file) return std::unexpected(read_file.error());
  read_file_.emplace(std::move(*read_file));
  if (plan_.mode == Mode::full && host) {
    const std::uint64_t room = std::min(memory_available_bytes(), disk_free_bytes(plan_.directory));
    auto warm_file = make("warm.pa", std::min(full_warm_bytes, std::bit_floor(room / 2)));
    if (!warm_file) return std::unexpected(warm_file.error());
    warm_file_.emplace(std::move(*warm_file));
  }
  const std::uint64_t write_bytes = host ? write_file_bytes : simulated_write_bytes;
  auto write_file = make("write.pa", std::min(write_bytes, plan_.file_bytes));
  if (!write_file) return std::unexpected(write_file.error());
  write_file_.emplace(std::move(*write_file));
  return {};
}

std::expected<void, std::string> Campaign::prepare() {
  if (auto chosen = choose_file_bytes(); !chosen) return chosen;
  Progress progress(1);
  if (machine_ != nullptr) {
    disk_cpu_reason_ = "not available here: the simulated machine has no CPUs to choose from";
    return make_files(progress);
  }
  auto directory = ScratchDirectory::make(plan_.directory);
  if (!directory) return std::unexpected(directory.error());
  directory_.emplace(std::move(*directory));
  if (auto made = make_files(progress); !made) return made;
  if (plan_.mode == Mode::full) {
    auto limit = MemoryLimit::make(plan_.file_bytes / file_over_limit);
    if (limit) {
      limit_.emplace(std::move(*limit));
    } else {
      limit_reason_ = limit.error();
    }
  }
  choose_cpu(progress);
  return {};
}

/// The scheduler would put ours on one CPU and fio on another, and on a disk with one queue that
/// alone makes a third of a difference.
void Campaign::choose_cpu(Progress& progress) {
  progress.note("finding the CPU that is nearest the disk", 1);
  auto reads = reads_per_second_by_cpu(*read_file_, plan_.page_bytes);
  if (!reads) {
    disk_cpu_reason_ = reads.error();
    return;
  }
  reads_by_cpu_ = std::move(*reads);
  const auto less = [](const auto& a, const auto& b) { return a.second < b.second; };
  disk_cpu_ = std::ranges::max_element(reads_by_cpu_, less)->first;
}

nlohmann::json Campaign::placement() const {
  nlohmann::json reads = nlohmann::json::object();
  for (const auto& [cpu, per_second] : reads_by_cpu_) reads[std::to_string(cpu)] = per_second;
  nlohmann::json cpu = nullptr;
  if (disk_cpu_) cpu = *disk_cpu_;
  return {{"cpu", std::move(cpu)},
          {"direct_reads_per_second", std::move(reads)},
          {"reason", disk_cpu_reason_}};
}

std::string Campaign::cold_method() const {
  if (machine_ != nullptr) {
    return "posix_fadvise(DONTNEED) on the simulated machine, which drops all that is clean";
  }
  std::string method = "posix_fadvise(DONTNEED), 0 % resident by mincore before each measurement";
  if (limit_)
    method += ", in " + limit_->describe() + fmt::format(", file {} bytes", plan_.file_bytes);
  if (!limit_reason_.empty()) method += "; no memory limit: " + limit_reason_;
  return method;
}

const Scratch& Campaign::file_of(const Job& job) const {
  if (job.workload == Workload::durable_write) return *write_file_;
  const bool cold = job.workload == Workload::random_cold;
  return warm_file_ && !cold ? *warm_file_ : *read_file_;
}

Request Campaign::request_of(const Series& series, std::uint32_t round) const {
  const std::uint64_t slots = file_of(series.job).pages() / series.job.run;
  return {.ops = std::min(series.ops, slots),
          .common_ops = std::min(
              {common_ops_[static_cast<std::size_t>(series.job.workload)], series.ops, slots}),
          .seed = plan_.seed + round,
          .cpu = series.job.threads == 1 ? disk_cpu_ : std::nullopt};
}

/// Brings the page cache into the state that the workload is about, and proves it.
std::expected<void, std::string> Campaign::set_cache(Series& series) {
  const Scratch& file = file_of(series.job);
  series.resident = -1;
  // The file that is written stays warm for all: what a row past the page cache wrote is read in
  // again before the next.
  const bool warm = series.job.workload == Workload::random_warm ||
                    series.job.workload == Workload::durable_write;
  auto set = warm ? file.make_warm() : file.make_cold();
  if (set) series.resident = warm ? 1 : 0;
  return set;
}

std::uint64_t Campaign::ops_for(const Job& job, double ops_per_second) const {
  const std::uint64_t pages = file_of(job).pages();
  const std::uint64_t slots = pages / job.run;
  if (plan_.mode == Mode::full && job.workload == Workload::random_warm) return 1'000'000;
  if (plan_.mode == Mode::full && job.workload == Workload::durable_write) {
    return whole_batches(job, 100'000 / rounds_);
  }
  if (plan_.mode == Mode::full && job.workload == Workload::sequential_read) {
    return std::min(slots, 1024 * mebibyte / (job.run * std::uint64_t{plan_.page_bytes}));
  }
  const auto wanted = static_cast<std::uint64_t>(ops_per_second * seconds_of(plan_.mode));
  const std::uint64_t least = std::max<std::uint64_t>(4 * job.depth, job.batch);
  std::uint64_t ops = std::clamp(wanted, least, std::max(least, slots));
  ops = whole_batches(job, ops);
  return std::min(ops, std::max<std::uint64_t>(slots, 1));
}

void Campaign::calibrate(Series& series) {
  if (!series.reason.empty() || interrupted) return;
  const Job& job = series.job;
  series.ops = job.batch > 0 ? std::max<std::uint64_t>(2 * job.batch, 32) : 100 + 20 * job.depth;
  if (job.workload == Workload::random_warm) series.ops = 20'000;
  Series trial = series;
  constexpr std::uint32_t other_pages = 1'000'000;  // than those of any round
  if (job.noise ? !measure_fio(trial, other_pages, trial.rounds)
                : !measure_ours(trial, other_pages)) {
    series.reason = job.noise ? trial.peer_reason : trial.reason;
    return;
  }
  series.ops = ops_for(job, trial.rounds.back().ops_per_second);
  // What all rows of a workload read alike, whatever their speed: the fewest operations of any.
  if (job.batch == 0 && !job.noise && job.use == Use::sum) {
    std::uint64_t& common = common_ops_[static_cast<std::size_t>(job.workload)];
    common = common == 0 ? series.ops : std::min(common, series.ops);
  }
}

void Campaign::measure(Series& series, std::uint32_t round) {
  if (!series.reason.empty() || interrupted) return;
  const bool limited = limit_ && series.job.workload == Workload::random_cold;
  if (limited) {
    if (const auto entered = limit_->enter(); !entered) {
      series.reason = entered.error();
      return;
    }
  }
  const auto ours = [&] {
    return series.job.noise ? measure_fio(series, round, series.rounds)
                            : measure_ours(series, round);
  };
  const bool has_peer = !series.job.peer.empty() && series.peer_reason.empty();
  const auto peer = [&] {
    return !has_peer || measure_fio(series, round + rounds_, series.peer_rounds);
  };
  // A B, then B A: a drift of the machine favours neither.
  const bool good = round % 2 == 0 ? ours() && peer() : peer() && ours();
  if (limited) limit_->leave();
  // Half a pair is no pair.
  if (!good && has_peer) {
    const std::size_t pairs = std::min(series.rounds.size(), series.peer_rounds.size());
    if (series.peer_reason.empty()) series.rounds.resize(pairs);
    series.peer_rounds.resize(pairs);
  }
}

bool Campaign::measure_ours(Series& series, std::uint32_t round) {
  std::expected<Round, std::string> result;
  if (auto set = set_cache(series); !set) {
    result = std::unexpected(set.error());
  } else {
    const bool at_the_disk = series.job.workload != Workload::random_warm;
    const bool beside_fio = !series.job.peer.empty() && series.peer_reason.empty();
    if (at_the_disk && beside_fio) rest_as_long_as_fio_starts();
    result =
        run_workload(series.job, file_of(series.job), request_of(series, round), series.latencies);
  }
  if (!result) {
    series.reason = result.error();
    wrong_bytes_ = wrong_bytes_ || series.reason.find(wrong_bytes_text) != std::string::npos;
    return false;
  }
  series.rounds.push_back(*result);
  return !interrupted;
}

bool Campaign::measure_fio(Series& series, std::uint32_t round, std::vector<Round>& into) {
  const Request request = request_of(series, round);
  std::expected<Round, std::string> result;
  if (auto set = set_cache(series); !set) {
    result = std::unexpected(set.error());
  } else {
    result = run_fio(series.job, file_of(series.job), request);
  }
  if (interrupted) return false;  // fio has had the Ctrl-C too, and was cut short
  if (!result) {
    series.peer_reason = result.error();
    return false;
  }
  const auto command = fio_command(series.job, file_of(series.job), request);
  series.peer_job = fmt::format("{}", fmt::join(command, " "));
  // The file's name alone: a report is for others, and its machine's directories are not.
  const std::string directory = directory_->path() + "/";
  if (const auto at = series.peer_job.find(directory); at != std::string::npos) {
    series.peer_job.erase(at, directory.size());
  }
  into.push_back(*result);
  return true;
}

}  // namespace pagealloc::harness
