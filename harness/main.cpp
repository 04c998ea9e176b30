// pagealloc_bench: measures page files four ways beside fio, and writes results.json.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <regex>

#include "harness/caches/section.h"
#include "harness/campaign.h"
#include "harness/fio.h"
#include "harness/machine.h"
#include "harness/simulated_depth.h"
#include "harness/statistics.h"
#include "pagealloc/os/sim/name.h"

namespace pagealloc::harness {
namespace {

struct Arguments {
  Plan plan;
  std::string out;
  std::string command;
  std::string cache_trace;
  bool list = false;
};

void on_signal(int) { interrupted = true; }

void catch_signals() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // a second Ctrl-C ends it at once
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

/// Google Benchmark reports to this; the table comes at the end, from all rounds together.
class Quiet final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

/// One benchmark is one job in one round: ours and fio's, one after the other. Google Benchmark
/// runs them in the order of registration, which interleaves the rounds.
void register_all(Campaign& campaign, Progress& progress) {
  const auto add = [&](Series& series, const std::string& name, auto body) {
    benchmark::RegisterBenchmark(name.c_str(),
                                 [&series, &progress, name, body](benchmark::State& state) {
                                   for (auto _ : state) {
                                     progress.step(name);
                                     body(series);
                                     if (series.rounds.empty()) continue;
                                     const Round& round = series.rounds.back();
                                     state.SetIterationTime(round.seconds);
                                     state.counters["ops_per_second"] = round.ops_per_second;
                                   }
                                   if (!series.reason.empty()) {
                                     state.SkipWithError(series.reason.c_str());
                                   }
                                 })
        ->UseManualTime()
        ->Iterations(1);
  };
  for (Series& series : campaign.all()) {
    add(series, series.job.name() + "/calibrate",
        [&campaign](Series& s) { campaign.calibrate(s); });
  }
  for (std::uint32_t round = 0; round < campaign.rounds(); ++round) {
    // Each round begins with another row: what was read first is in the disk's own cache for those
    // that come later.
    const std::size_t count = campaign.all().size();
    for (std::size_t i = 0; i < count; ++i) {
      Series& series = campaign.all()[(i + round * count / campaign.rounds()) % count];
      add(series, fmt::format("{}/round:{}", series.job.name(), round),
          [&campaign, round](Series& s) { campaign.measure(s, round); });
    }
  }
}

nlohmann::json document_of(Campaign& campaign, const Arguments& arguments, std::uint64_t start_ns,
                           bool& wrong_bytes) {
  const Plan& plan = campaign.plan();
  nlohmann::json machine =
      plan.machine ? machine_facts(*plan.machine) : machine_facts(plan.directory);
  const std::string fio = plan.machine ? "" : fio_version();
  machine["fio"] = fio.empty() ? nlohmann::json(nullptr) : nlohmann::json(fio);
  const char* commit = std::getenv("PAGEALLOC_COMMIT");
  machine["commit"] = commit == nullptr ? nlohmann::json(nullptr) : nlohmann::json(commit);
  const char* command = std::getenv("PAGEALLOC_COMMAND");
  machine["command"] = command == nullptr ? arguments.command : command;
  machine["mode"] = plan.mode == Mode::quick  ? "quick"
                    : plan.mode == Mode::full ? "full"
                                              : "default";
  machine["page_bytes"] = plan.page_bytes;
  machine["file_bytes"] = plan.file_bytes;
  machine["seed"] = plan.seed;
  machine["cold"] = campaign.cold_method();
  machine["placement"] = campaign.placement();
  nlohmann::json extras = campaign.extras();
  caches::Section caches = caches::measure(plan, arguments.cache_trace);
  wrong_bytes = campaign.wrong_bytes() || caches.wrong_bytes;
  machine["complete"] = !interrupted.load();
  machine["seconds"] = static_cast<double>(campaign.kernel().now_ns() - start_ns) / 1e9;
  return {{"schema", "pagealloc/results/v1"},
          {"machine", std::move(machine)},
          {"rows", rows_of(campaign.all())},
          {"ratios", ratios_of(campaign.all())},
          {"simulated_depth",
           plan.wants("simulated_depth") ? to_json(simulated_depth()) : nlohmann::json::array()},
          {"caches", std::move(caches.document)},
          {"extra", std::move(extras)}};
}

int run(const Arguments& arguments) {
  catch_signals();
  Campaign campaign(arguments.plan);
  const std::uint64_t start_ns = campaign.kernel().now_ns();
  if (arguments.list) {
    for (const Series& series : campaign.all()) fmt::print("{}\n", series.job.name());
    return 0;
  }
  if (campaign.all().empty() && !arguments.plan.wants("caches")) {
    fmt::print(stderr, "pagealloc_bench: the filter leaves nothing to measure\n");
    return 1;
  }
  if (const auto ready =
          campaign.all().empty() ? std::expected<void, std::string>() : campaign.prepare();
      !ready) {
    fmt::print(stderr, "pagealloc_bench: {}\n", ready.error());
    return interrupted ? 130 : 1;
  }
  if (!campaign.all().empty()) {
    Progress progress(campaign.all().size() * (campaign.rounds() + 1));
    register_all(campaign, progress);
    Quiet quiet;
    benchmark::RunSpecifiedBenchmarks(&quiet);
  }
  const std::string path = arguments.out + "/results.json";
  bool wrong_bytes = false;
  const nlohmann::json document = document_of(campaign, arguments, start_ns, wrong_bytes);
  if (!write_json(path, document)) {
    fmt::print(stderr, "pagealloc_bench: {}: cannot be written: {}\n", path, std::strerror(errno));
    return 1;
  }
  print_summary(campaign.all());
  fmt::print("\n{:.0f} s{}, written to {}\n", document["machine"]["seconds"].get<double>(),
             arguments.plan.machine ? " of the simulated machine" : "", path);
  if (wrong_bytes) {
    fmt::print(stderr, "pagealloc_bench: WRONG BYTES were read; see the reasons in {}\n", path);
    return 1;
  }
  return interrupted ? 130 : 0;
}

std::string choose_kernel(Plan& plan, const std::string& name) {
  auto machine = os::sim::machine_of(name);
  if (!machine) return machine.error();
  plan.machine = std::move(*machine);
  return {};
}

std::string is_expression(const std::string& text) {
  try {
    const std::regex expression(text);
    return {};
  } catch (const std::regex_error& error) {
    return fmt::format("'{}' is not a regular expression: {}", text, error.what());
  }
}

}  // namespace
}  // namespace pagealloc::harness

int main(int argc, char** argv) {
  using pagealloc::harness::choose_kernel;
  using pagealloc::harness::is_expression;
  using pagealloc::harness::Mode;
  pagealloc::harness::Arguments arguments;
  arguments.out = ".";
  bool quick = false;
  bool full = false;
  CLI::App app{"Measures page files through pread, mmap, O_DIRECT and io_uring beside fio."};
  app.add_option("--out", arguments.out, "Where results.json goes")->check(CLI::ExistingDirectory);
  app.add_option("--kernel")
      ->check([&](const std::string& name) { return choose_kernel(arguments.plan, name); })
      ->description("What is measured: " + pagealloc::os::sim::machine_names())
      ->type_name("NAME");
  app.add_option("--dir", arguments.plan.directory,
                 "Where the measured files lie: on the disk in question (default: --out)")
      ->check(CLI::ExistingDirectory);
  auto* quick_flag = app.add_flag("--quick", quick, "Four rounds of fewer rows: about two minutes");
  app.add_flag("--full", full, "40 minutes; cold reads under a memory limit")->excludes(quick_flag);
  app.add_option("--page-size", arguments.plan.page_bytes, "512 to 65536, a power of two")
      ->check(CLI::IsMember({512, 1024, 2048, 4096, 8192, 16384, 32768, 65536}))
      ->capture_default_str();
  app.add_option("--file-size", arguments.plan.file_bytes, "Of the file that is read, e.g. 4GiB")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--rounds", arguments.plan.rounds, "Pairs of every row")
      ->check(CLI::Range(1, 100));
  app.add_option("--seed", arguments.plan.seed, "Of the order of pages")->capture_default_str();
  app.add_option(
         "--filter", arguments.plan.filter,
         "Only rows, and sections beside them (copy, beyond_memory, simulated_depth, caches),\n"
         "whose name this expression matches")
      ->check(is_expression);
  app.add_option("--cache-trace", arguments.cache_trace,
                 "A trace of pagealloc cache-trace record, for the comparison of policies")
      ->check(CLI::ExistingFile);
  app.add_flag("--list", arguments.list, "Print the rows' names and stop");
  app.footer("Example: pagealloc_bench --quick --filter 'random_cold/uring' --out /tmp");
  CLI11_PARSE(app, argc, argv);
  arguments.plan.mode = quick ? Mode::quick : full ? Mode::full : Mode::standard;
  if (arguments.plan.machine && !arguments.plan.directory.empty()) {
    fmt::print(stderr, "pagealloc_bench: --dir: the files of a simulated machine lie inside it\n");
    return 1;
  }
  if (arguments.plan.machine) arguments.plan.directory = "the simulated machine";
  if (arguments.plan.directory.empty()) arguments.plan.directory = arguments.out;
  for (int i = 0; i < argc; ++i) arguments.command += (i > 0 ? " " : "") + std::string(argv[i]);
  int benchmark_argc = 1;
  benchmark::Initialize(&benchmark_argc, argv);
  return pagealloc::harness::run(arguments);
}
