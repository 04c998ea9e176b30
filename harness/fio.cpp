#include "harness/fio.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/process.h"

namespace pagealloc::harness {

namespace {

const char* pattern_of(Workload workload) {
  switch (workload) {
    case Workload::sequential_read:
      return "read";
    case Workload::durable_write:
      return "randwrite";
    default:
      return "randread";
  }
}

/// What its report says. Throws json::exception when something is missing.
std::expected<Round, std::string> round_of(const nlohmann::json& report, const Job& job) {
  const auto& whole = report.at("jobs").at(0);
  const auto& part = whole.at(job.workload == Workload::durable_write ? "write" : "read");
  Round round;
  round.ops = part.at("total_ios").get<std::uint64_t>();
  round.seconds = part.at("runtime").get<double>() / 1000;
  if (round.ops == 0 || round.seconds <= 0) {
    return std::unexpected(std::string("fio did nothing: too few operations to time"));
  }
  round.ops_per_second = static_cast<double>(round.ops) / round.seconds;
  round.bytes_per_second = round.ops_per_second * job.run * job.options.page_bytes;
  if (job.batch == 0) {  // of a write fio times the write alone, we the way to durability
    const auto& percentile = part.at("clat_ns").at("percentile");
    round.p50_ns = percentile.at("50.000000").get<double>();
    round.p99_ns = percentile.at("99.000000").get<double>();
    round.p999_ns = percentile.at("99.900000").get<double>();
  }
  // Percentages of one thread's run time, averaged over the threads.
  const double cpu_share =
      (whole.at("usr_cpu").get<double>() + whole.at("sys_cpu").get<double>()) / 100;
  const auto ops = static_cast<double>(round.ops);
  round.cpu_ns_per_op = cpu_share * round.seconds * 1e9 * job.threads / ops;
  round.minor_faults_per_op = whole.at("minf").get<double>() / ops;
  round.major_faults_per_op = whole.at("majf").get<double>() / ops;
  return round;
}

}  // namespace

std::vector<std::string> fio_command(const Job& job, const Scratch& file, const Request& request) {
  // fio syncs just before the write that follows a whole batch, so the last batch needs one more.
  const std::uint64_t ops_per_thread =
      std::max<std::uint64_t>(request.ops / job.threads, 1) + (job.batch > 0 ? 1 : 0);
  // A slice of the file for each thread: their random orders know nothing of each other, and would
  // read a page twice.
  const std::uint64_t page_bytes = job.options.page_bytes;
  const std::uint64_t slice_bytes = file.bytes() / job.threads / page_bytes * page_bytes;
  std::vector<std::string> command = {
      "fio", "--name=peer", "--output-format=json", "--thread", "--group_reporting",
      // One file, laid out already; the same number of operations; no page twice.
      "--filename=" + file.path(), "--allow_file_create=0", "--fallocate=none",
      fmt::format("--size={}", slice_bytes), fmt::format("--offset_increment={}", slice_bytes),
      fmt::format("--number_ios={}", ops_per_thread),
      fmt::format("--randseed={}", request.seed + 1), "--percentile_list=50:99:99.9",
      fmt::format("--rw={}", pattern_of(job.workload)), "--ioengine=" + job.peer,
      fmt::format("--bs={}", job.run * job.options.page_bytes),
      fmt::format("--numjobs={}", job.threads),
      fmt::format("--direct={}", goes_direct(job) ? 1 : 0),
      // The page cache is as we left it, warm or cold: fio need not drop it, nor may it.
      "--invalidate=0"};
  if (request.cpu) command.push_back(fmt::format("--cpus_allowed={}", *request.cpu));
  if (job.workload == Workload::durable_write) {
    command.push_back(fmt::format("--fdatasync={}", job.batch));
    command.push_back("--overwrite=1");
  }
  if (job.peer == "io_uring") {
    command.push_back(fmt::format("--iodepth={}", job.depth));
    command.push_back(fmt::format("--iodepth_batch_submit={}", job.wait_for()));
    command.push_back(fmt::format("--iodepth_batch_complete_min={}", job.wait_for()));
    command.push_back(fmt::format("--iodepth_batch_complete_max={}", job.depth));
    if (job.options.registered_buffers) command.push_back("--fixedbufs");
    command.push_back("--registerfiles");
  }
  return command;
}

std::expected<Round, std::string> run_fio(const Job& job, const Scratch& file,
                                          const Request& request) {
  const auto output = run_process(fio_command(job, file, request));
  if (!output) return std::unexpected(output.error());
  if (output->exit_code != 0) {
    return std::unexpected(fmt::format("fio ended with {}: {}", output->exit_code,
                                       output->error.substr(0, output->error.find('\n'))));
  }
  try {
    return round_of(nlohmann::json::parse(output->out), job);
  } catch (const nlohmann::json::exception& error) {
    return std::unexpected(fmt::format("fio's report cannot be read: {}", error.what()));
  }
}

std::string fio_version() {
  const auto output = run_process({"fio", "--version"});
  if (!output || output->exit_code != 0) return "";
  return output->out.substr(0, output->out.find('\n'));
}

}  // namespace pagealloc::harness
