#include "labs/05_depth/tests/depth.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "pagealloc/os/sim/ring.h"

namespace pagealloc::labs {

using os::sim::Event;
using os::sim::SimKernel;

namespace {

constexpr std::uint64_t page_bytes = 4096;

/// The beginnings, +1, and the ends, -1, by time; ends first where they meet.
std::multimap<std::uint64_t, int> changes_of(std::span<const Interval> intervals) {
  std::multimap<std::uint64_t, int> changes;
  for (const Interval& each : intervals) {
    if (each.end_ns != UINT64_MAX) changes.emplace(each.end_ns, -1);
  }
  for (const Interval& each : intervals) changes.emplace(each.begin_ns, 1);
  return changes;
}

}  // namespace

std::vector<Interval> calls(SimKernel& sim, std::size_t from, std::string_view what) {
  std::vector<Interval> found;
  const auto add = [&](const Event& event, std::uint64_t end_ns) {
    if (event.what == what) {
      found.push_back({what, event.offset / page_bytes, event.begun_ns, end_ns});
    }
  };
  const auto& events = sim.trace().events();
  for (std::size_t i = from; i < events.size(); ++i) add(events[i], events[i].ended_ns);
  for (const Event* event : sim.calls_under_way()) add(*event, UINT64_MAX);
  std::ranges::stable_sort(found, {}, &Interval::begin_ns);
  return found;
}

std::vector<Interval> entries(SimKernel& sim, std::size_t from) {
  std::vector<Interval> found;
  const auto& events = sim.trace().events();
  for (std::size_t i = from; i < events.size(); ++i) {
    const Event& event = events[i];
    const std::string_view what(event.what);
    const PageId page = event.offset / page_bytes;
    if (what == "issued") {
      found.push_back(
          {os::sim::event_of(static_cast<unsigned>(event.result)), page, event.begun_ns});
      continue;
    }
    const auto issued = std::ranges::find_if(found, [&](const Interval& each) {
      return each.what == what && each.page == page && each.end_ns == UINT64_MAX;
    });
    if (issued != found.end()) issued->end_ns = event.ended_ns;
  }
  return found;
}

std::vector<Interval> only(std::span<const Interval> intervals, std::string_view what) {
  std::vector<Interval> some;
  std::ranges::copy_if(intervals, std::back_inserter(some),
                       [&](const Interval& each) { return each.what == what; });
  return some;
}

std::size_t most_at_once(std::span<const Interval> intervals) {
  int now = 0;
  int most = 0;
  for (const auto& [time_ns, change] : changes_of(intervals)) most = std::max(most, now += change);
  return static_cast<std::size_t>(most);
}

std::uint64_t percent_with(std::span<const Interval> intervals, std::size_t count) {
  const auto changes = changes_of(intervals);
  if (changes.empty()) return 0;
  const std::uint64_t begin_ns = changes.begin()->first;
  const std::uint64_t end_ns = changes.rbegin()->first;
  std::uint64_t before_ns = begin_ns;
  std::uint64_t with_ns = 0;
  int now = 0;
  for (const auto& [time_ns, change] : changes) {
    if (now >= static_cast<int>(count)) with_ns += time_ns - before_ns;
    before_ns = time_ns;
    now += change;
  }
  return end_ns == begin_ns ? 0 : with_ns * 100 / (end_ns - begin_ns);
}

std::size_t unanswered(std::span<const Interval> intervals) {
  return static_cast<std::size_t>(std::ranges::count(intervals, UINT64_MAX, &Interval::end_ns));
}

std::string completions(SimKernel& sim) {
  std::string text = "completions, in the order in which they came:\n";
  for (const Event& event : sim.trace().events()) {
    if (std::string_view(event.what) != "reaped") continue;
    text += fmt::format("  page {:<4} {}\n", event.offset / page_bytes, event.result);
  }
  return text;
}

std::string bars_of(std::span<const Interval> intervals) {
  constexpr std::size_t bars = 24;
  constexpr std::uint64_t columns = 40;
  std::uint64_t begin_ns = UINT64_MAX;
  std::uint64_t end_ns = 0;
  for (const Interval& each : intervals) {
    begin_ns = std::min(begin_ns, each.begin_ns);
    end_ns = std::max({end_ns, each.begin_ns, each.end_ns == UINT64_MAX ? 0 : each.end_ns});
  }
  std::string text;
  for (const Interval& each : intervals.first(std::min(bars, intervals.size()))) {
    const std::uint64_t until_ns = each.end_ns == UINT64_MAX ? end_ns : each.end_ns;
    const std::uint64_t scale = std::max<std::uint64_t>(end_ns - begin_ns, 1);
    const std::uint64_t first = (each.begin_ns - begin_ns) * (columns - 1) / scale;
    const std::uint64_t last = (until_ns - begin_ns) * (columns - 1) / scale;
    const std::string where =
        each.what == "ring fsync" ? std::string() : fmt::format("page {}", each.page);
    text += fmt::format(
        "{:<11} {:<8} |{}{}{}| {:>6.1f} to {}\n", each.what, where, std::string(first, ' '),
        std::string(last - first + 1, '='), std::string(columns - 1 - last, ' '),
        static_cast<double>(each.begin_ns - begin_ns) / 1000,
        each.end_ns == UINT64_MAX
            ? "... no answer yet"
            : fmt::format("{:.1f} us", static_cast<double>(each.end_ns - begin_ns) / 1000));
  }
  if (intervals.size() > bars) text += fmt::format("... {} more ...\n", intervals.size() - bars);
  return text.empty() ? "nothing was under way\n" : text;
}

}  // namespace pagealloc::labs
