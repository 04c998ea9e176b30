// `pagealloc cache-trace`: accesses to pages, recorded or made, and how a cache would do on them.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <vector>

#include "pagealloc/cache/trace.h"
#include "pagealloc/cli/common.h"

namespace pagealloc::cli {

namespace {

using cache::policies;

// --- make and record ----------------------------------------------------------------------------

struct MakeArgs {
  std::string pattern;
  std::uint64_t pages = 10000;
  std::uint64_t accesses = 100000;
  std::uint64_t seed = 1;
};

Result<void> make(const MakeArgs& args) {
  if (args.pages == 0) {
    return std::unexpected(error_at("cache-trace", Errc::bad_argument, "--pages must not be 0"));
  }
  const auto pattern = args.pattern == "uniform"   ? cache::Pattern::uniform
                       : args.pattern == "zipfian" ? cache::Pattern::zipfian
                                                   : cache::Pattern::scan_mixed;
  return print(fmt::format("# {} of {} pages, seed {}\n", args.pattern, args.pages, args.seed) +
               cache::text_of(cache::make_trace(pattern, args.pages, args.accesses, args.seed)));
}

void add_make_options(CLI::App& command, MakeArgs& args) {
  command
      .add_option("PATTERN", args.pattern, "uniform, zipfian, or scan-mixed: a hot set and a scan")
      ->required()
      ->check(CLI::IsMember({"uniform", "zipfian", "scan-mixed"}));
  add_number(command, "--pages", args.pages, "of the file")->capture_default_str();
  add_number(command, "--accesses", args.accesses, "how many")->capture_default_str();
  add_number(command, "--seed", args.seed, "the same seed makes the same trace")
      ->capture_default_str();
}

struct RecordArgs {
  FileArgs file;
};

Result<void> record(const RecordArgs& args) {
  auto options = options_of(args.file);  // for the page size
  if (!options) return std::unexpected(options.error());
  const cache::Trace trace = cache::trace_of_strace(std::cin, args.file.path, options->page_bytes);
  if (trace.empty()) {
    return std::unexpected(
        error_at(args.file.path, Errc::bad_argument,
                 "the standard input has no access to it: strace -f -y names files by their whole "
                 "path"));
  }
  return print(fmt::format("# {} accesses\n", trace.size()) + cache::text_of(trace));
}

// --- replay -------------------------------------------------------------------------------------

struct ReplayArgs {
  std::vector<std::uint64_t> frames;
  bool json = false;
};

struct Row {
  std::uint32_t frames;
  std::vector<std::uint64_t> hits;  // by policy, the optimum last
};

std::vector<std::uint32_t> sizes_of(const ReplayArgs& args, const cache::Trace& trace) {
  if (args.frames.empty()) return cache::sizes_of(trace);
  return {args.frames.begin(), args.frames.end()};
}

std::string text_of(const cache::Trace& trace, const std::vector<Row>& rows) {
  std::string out = fmt::format("{} accesses; hits in percent\n{:>10}", trace.size(), "frames");
  for (const Eviction policy : policies) out += fmt::format("{:>10}", cache::name_of(policy));
  out += fmt::format("{:>10}\n", "optimum");
  for (const Row& row : rows) {
    out += fmt::format("{:>10}", row.frames);
    for (const std::uint64_t hits : row.hits) {
      out += fmt::format("{:>10.2f}",
                         100.0 * static_cast<double>(hits) / static_cast<double>(trace.size()));
    }
    out += "\n";
  }
  return out;
}

std::string json_of(const cache::Trace& trace, const std::vector<Row>& rows) {
  auto list = nlohmann::ordered_json::array();
  for (const Row& row : rows) {
    nlohmann::ordered_json entry = {{"frames", row.frames}};
    for (std::size_t i = 0; i < std::size(policies); ++i) {
      entry["hits"][std::string(cache::name_of(policies[i]))] = row.hits[i];
    }
    entry["hits"]["optimum"] = row.hits.back();
    list.push_back(std::move(entry));
  }
  const nlohmann::ordered_json whole = {{"accesses", trace.size()}, {"sizes", std::move(list)}};
  return whole.dump(2) + "\n";
}

Result<void> replay(const ReplayArgs& args) {
  const auto trace = cache::read_trace(std::cin, "standard input");
  if (!trace) return std::unexpected(trace.error());
  if (trace->empty()) {
    return std::unexpected(error_at("standard input", Errc::bad_argument, "the trace is empty"));
  }
  std::vector<Row> rows;
  for (const std::uint32_t frames : sizes_of(args, *trace)) {
    Row row{frames, {}};
    for (const Eviction policy : policies) {
      row.hits.push_back(cache::hits_of(*trace, policy, frames));
    }
    row.hits.push_back(cache::hits_of_optimum(*trace, frames));
    rows.push_back(std::move(row));
  }
  return print(args.json ? json_of(*trace, rows) : text_of(*trace, rows));
}

void add_replay_options(CLI::App& command, ReplayArgs& args) {
  command
      .add_option("--frames", args.frames, "sizes of the cache (default: 1 % to 80 % of the pages)")
      ->delimiter(',')
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 31));
  add_flag(command, "--json", args.json, "for programs");
}

/// A subcommand that has no file.
template <typename Args>
void add_plain(CLI::App& app, Exit& exit, const std::string& name, const std::string& description,
               void (*add_options)(CLI::App&, Args&), Result<void> (*run)(const Args&)) {
  CLI::App& command = *app.add_subcommand(name, description);
  const auto args = std::make_shared<Args>();
  add_options(command, *args);
  command.callback([args, run, &exit] { exit = finish(run(*args)); });
}

}  // namespace

void add_cache_trace(CLI::App& app, Exit& exit) {
  CLI::App& command =
      *app.add_subcommand("cache-trace", "Record accesses to pages, and replay them on a cache");
  command.require_subcommand(1);
  command.footer(
      "Examples:\n"
      "  pagealloc cache-trace make zipfian --pages 10000 > z.trace\n"
      "  pagealloc cache-trace replay < z.trace\n"
      "  strace -f -y -e trace=pread64,pwrite64,read,write,lseek -o calls sqlite3 /tmp/x.db ...\n"
      "  pagealloc cache-trace record /tmp/x.db < calls > x.trace\n"
      "  pagealloc cache-trace replay --frames 100,1000 --json < x.trace");
  add_plain<MakeArgs>(command, exit, "make", "Make a trace of a known pattern", add_make_options,
                      make);
  add_command<RecordArgs>(
      command, exit, "record",
      "Take the accesses to FILE out of what strace wrote (standard input)", "",
      [](CLI::App& sub, RecordArgs& args) { add_file(sub, args.file); }, record);
  add_plain<ReplayArgs>(command, exit, "replay",
                        "How often each policy would have hit (a trace on the standard input)",
                        add_replay_options, replay);
}

}  // namespace pagealloc::cli
