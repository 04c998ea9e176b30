#include "harness/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>

#include "harness/statistics.h"

namespace pagealloc::harness {

using nlohmann::json;

namespace {

json number(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

std::vector<double> speeds(const std::vector<Round>& rounds) {
  std::vector<double> values;
  for (const Round& round : rounds) values.push_back(round.ops_per_second);
  return values;
}

std::vector<double> cpu_costs(const std::vector<Round>& rounds) {
  std::vector<double> values;
  for (const Round& round : rounds) values.push_back(round.cpu_ns_per_op.value_or(0));
  return values;
}

std::optional<double> median_of(const std::vector<Round>& rounds,
                                const std::function<std::optional<double>(const Round&)>& field) {
  std::vector<double> values;
  for (const Round& round : rounds) {
    if (const auto value = field(round)) values.push_back(*value);
  }
  if (values.empty()) return std::nullopt;
  return median(std::move(values));
}

/// Each figure's own median: no single round has them all.
Round median_round(const std::vector<Round>& rounds) {
  Round result;
  result.ops = rounds.front().ops;
  result.checksum = rounds.front().checksum;
  result.seconds = *median_of(rounds, [](const Round& r) { return r.seconds; });
  result.ops_per_second = *median_of(rounds, [](const Round& r) { return r.ops_per_second; });
  result.bytes_per_second = *median_of(rounds, [](const Round& r) { return r.bytes_per_second; });
  for (auto field :
       {&Round::p50_ns, &Round::p99_ns, &Round::p999_ns, &Round::cpu_ns_per_op,
        &Round::system_calls_per_op, &Round::minor_faults_per_op, &Round::major_faults_per_op}) {
    result.*field = median_of(rounds, [field](const Round& r) { return r.*field; });
  }
  return result;
}

json all_rounds(const std::vector<Round>& rounds) {
  json list = json::array();
  for (const Round& round : rounds) list.push_back(to_json(round));
  return list;
}

json dimensions(const Job& job) {
  return {{"workload", name_of(job.workload)},
          {"impl", job.options.impl},
          {"variant", job.variant},
          {"depth", job.depth},
          {"threads", job.threads},
          {"batch", job.batch},
          {"page_bytes", job.options.page_bytes}};
}

json row_of(const Series& series) {
  json row = dimensions(series.job);
  row["available"] = !series.rounds.empty();
  row["reason"] = series.reason;
  row["resident"] = series.resident < 0 ? json(nullptr) : json(series.resident);
  row["rounds"] = all_rounds(series.rounds);
  row["median"] = series.rounds.empty() ? json(nullptr) : to_json(median_round(series.rounds));
  row["bimodal"] = bimodal(speeds(series.rounds));
  json histogram = json::array();
  series.latencies.each(
      [&](std::uint64_t upper_ns, std::uint64_t count) { histogram.push_back({upper_ns, count}); });
  row["histogram"] = std::move(histogram);
  row["peer"] = nullptr;
  if (!series.job.peer.empty()) {
    row["peer"] = {
        {"name", "fio " + series.job.peer},
        {"job", series.peer_job},
        {"reason", series.peer_reason},
        {"rounds", all_rounds(series.peer_rounds)},
        {"median",
         series.peer_rounds.empty() ? json(nullptr) : to_json(median_round(series.peer_rounds))}};
  }
  return row;
}

/// fio against fio in the same workload, with the same batch and on the same way to the disk; of
/// several the one with the same engine. nullptr: that was not measured.
const Series* noise_for(const std::vector<Series>& all, const Job& job) {
  const Series* best = nullptr;
  for (const Series& series : all) {
    const Job& noise = series.job;
    if (!noise.noise || noise.workload != job.workload || noise.batch != job.batch) continue;
    if (goes_direct(noise) != goes_direct(job)) continue;
    if (best == nullptr || noise.peer == job.peer) best = &series;
  }
  return best;
}

std::optional<Ratio> ratio_of(const Series& series) {
  return paired_ratio(speeds(series.rounds), speeds(series.peer_rounds));
}

json ratio_json(const Ratio& ratio) {
  return {
      {"ratio_median", ratio.median}, {"ci95", {ratio.low, ratio.high}}, {"pairs", ratio.pairs}};
}

json cpu_ratio_of(const Series& series) {
  const auto ours = cpu_costs(series.rounds);
  const auto theirs = cpu_costs(series.peer_rounds);
  // Too short a run is 0 by fio's clock, and nothing can be divided by that.
  const bool known = std::ranges::min(ours) > 0 && std::ranges::min(theirs) > 0;
  const auto ratio = known ? paired_ratio(ours, theirs) : std::nullopt;
  return ratio ? ratio_json(*ratio) : json(nullptr);
}

}  // namespace

json to_json(const Round& round) {
  return {
      {"ops", round.ops},
      {"seconds", round.seconds},
      {"ops_per_second", round.ops_per_second},
      {"bytes_per_second", round.bytes_per_second},
      {"p50_ns", number(round.p50_ns)},
      {"p99_ns", number(round.p99_ns)},
      {"p999_ns", number(round.p999_ns)},
      {"cpu_ns_per_op", number(round.cpu_ns_per_op)},
      {"system_calls_per_op", number(round.system_calls_per_op)},
      {"minor_faults_per_op", number(round.minor_faults_per_op)},
      {"major_faults_per_op", number(round.major_faults_per_op)},
      {"checksum", round.checksum ? json(fmt::format("{:016x}", *round.checksum)) : json(nullptr)}};
}

json rows_of(const std::vector<Series>& all) {
  json rows = json::array();
  for (const Series& series : all) {
    if (!series.job.noise) rows.push_back(row_of(series));
  }
  return rows;
}

json ratios_of(const std::vector<Series>& all) {
  json ratios = json::array();
  for (const Series& series : all) {
    const auto ratio = ratio_of(series);
    if (series.job.noise || !ratio) continue;
    json entry = dimensions(series.job);
    entry["peer"] = "fio " + series.job.peer;
    entry.update(ratio_json(*ratio));
    entry["cpu_per_op"] = cpu_ratio_of(series);
    entry["noise_floor"] = nullptr;
    if (const Series* noise = noise_for(all, series.job)) {
      if (const auto floor = ratio_of(*noise)) {
        entry["noise_floor"] = ratio_json(*floor);
        entry["noise_floor"]["name"] = noise->job.name();
      }
    }
    ratios.push_back(std::move(entry));
  }
  return ratios;
}

bool write_json(const std::string& path, const json& document) {
  const std::string temporary = path + ".new";
  std::ofstream file(temporary);
  file << document.dump(1) << '\n' << std::flush;
  if (!file.good()) return false;
  file.close();
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  return !error;
}

void print_summary(const std::vector<Series>& all) {
  fmt::print("\n{:<44} {:>12} {:>10} {:>12}   {}\n", "", "ops/s", "p99 us", "CPU ns/op",
             "ours : fio, 95 % interval");
  for (const Series& series : all) {
    const std::string name = series.job.name();
    if (series.rounds.empty()) {
      fmt::print("{:<44} {}\n", name, series.reason.empty() ? "not measured" : series.reason);
      continue;
    }
    const Round round = median_round(series.rounds);
    std::string against = series.job.peer.empty() ? "nothing comparable" : series.peer_reason;
    if (const auto ratio = ratio_of(series)) {
      against = fmt::format("{:.2f}  ({:.2f} ... {:.2f})", ratio->median, ratio->low, ratio->high);
    }
    const auto known = [](const std::optional<double>& value, double unit, int decimals) {
      return value ? fmt::format("{:.{}f}", *value / unit, decimals) : std::string("-");
    };
    fmt::print("{:<44} {:>12.0f} {:>10} {:>12}   {}{}\n", name, round.ops_per_second,
               known(round.p99_ns, 1000, 1), known(round.cpu_ns_per_op, 1, 0), against,
               bimodal(speeds(series.rounds)) ? "  bimodal" : "");
  }
}

}  // namespace pagealloc::harness
