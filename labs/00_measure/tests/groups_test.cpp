// Task 4: one number for one kind of operation.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "labs/00_measure/tests/tests.h"

namespace pagealloc::labs {

using namespace measure;

namespace {

using Series = std::vector<std::uint64_t>;

/// One group as it must be: a median of an even number is either of the two in the middle.
struct Wanted {
  std::uint64_t count;
  std::uint64_t least_ns;
  std::uint64_t most_ns;
};

Wanted wanted(Series ns) {
  std::ranges::sort(ns);
  return {ns.size(), ns[(ns.size() - 1) / 2], ns[ns.size() / 2]};
}

bool fits(const std::vector<Group>& groups, const std::vector<Wanted>& all, double slack = 0) {
  return std::ranges::equal(groups, all, [&](const Group& group, const Wanted& each) {
    const auto median = static_cast<double>(group.median_ns);
    return group.count == each.count &&
           median >= static_cast<double>(each.least_ns) * (1 - slack) &&
           median <= static_cast<double>(each.most_ns) * (1 + slack);
  });
}

std::string text_of(const std::vector<Wanted>& all) {
  std::string text;
  for (const Wanted& each : all) {
    text += fmt::format("{}{} of about {} ns", text.empty() ? "" : ", ", each.count, each.most_ns);
  }
  return text;
}

std::string text_of(const std::vector<Group>& groups) {
  std::string text;
  for (const Group& group : groups) {
    text +=
        fmt::format("{}{} of about {} ns", text.empty() ? "" : ", ", group.count, group.median_ns);
  }
  return text.empty() ? "no group" : text;
}

/// `count` numbers from `from` up to a tenth more.
Series near(Test& t, std::uint64_t from, std::uint64_t count) {
  Series series;
  for (std::uint64_t i = 0; i < count; ++i) series.push_back(from + t.random().below(from / 10));
  return series;
}

void check(Test& t, const Series& one, const Series& other, const char* cause) {
  Series all = one;
  all.insert(all.end(), other.begin(), other.end());
  for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[t.random().below(i)]);
  std::vector<Wanted> expected = {wanted(one)};
  if (!other.empty()) expected.push_back(wanted(other));
  const auto groups = groups_of(all);
  if (t.holds(fits(groups, expected))) return;
  const Series shuffled = all;
  std::ranges::sort(all);
  const bool unsorted = fits(groups_of(all), expected);
  t.fail({.expected = text_of(expected),
          .found = text_of(groups),
          .cause = unsorted ? "of the same latencies, sorted, the groups are right: sort them "
                              "first, for neighbours in time are not neighbours in length"
                            : cause,
          .function = "groups_of",
          .evidence = fmt::format("the latencies, in ns: {}\n", fmt::join(shuffled, " "))});
}

/// A few reads that took far longer than all others, as on every real disk.
void check_stragglers(Test& t, std::uint64_t hit_ns, std::uint64_t read_ns, std::uint64_t few) {
  const char* const cause =
      "a few reads that took far longer are no kind of their own: the widest gap of all is before "
      "them, and parts nothing else; only gaps that leave a twentieth of the latencies on either "
      "side count";
  const auto with_two_slow = [&](Series series) {
    series.insert(series.end(), {100 * read_ns, 110 * read_ns});
    return series;
  };
  check(t, near(t, hit_ns, 16 * few), with_two_slow(near(t, read_ns, 16 * few)), cause);
  check(t, with_two_slow(near(t, read_ns, 30 * few)), {}, cause);
  check(t, near(t, hit_ns, 19 * few), near(t, read_ns, few),
        "a twentieth of the latencies is enough for a group");
}

}  // namespace

void groups_of_series(Test& t) {
  const char* const gap =
      "two kinds are parted by the widest gap between neighbours, which need not be in the middle";
  const std::uint64_t hit_ns = 700 + t.random().below(200);
  const std::uint64_t read_ns = 70'000 + t.random().below(20'000);
  const std::uint64_t few = 3 + t.random().below(4);
  check(t, near(t, hit_ns, few), near(t, read_ns, 3 * few), gap);
  check(t, near(t, hit_ns, 3 * few), near(t, read_ns, few), gap);
  check(t, near(t, hit_ns, few), {read_ns}, gap);
  check(t, {hit_ns}, near(t, read_ns, few), gap);
  check(t, {hit_ns}, {read_ns}, "of two latencies that are far apart each is a group");
  const char* const noise =
      "these differ by no more than noise: their medians are at most a fifth apart, and so they "
      "are one kind";
  check(t, near(t, read_ns, 4 * few), {}, noise);
  check(t, {1000, 1200}, {}, noise);
  check(t, {1000}, {1201}, "medians that are more than a fifth apart are two kinds");
  check(t, Series(2 * few, hit_ns), {}, "equal latencies are one kind");
  check_stragglers(t, hit_ns, read_ns, few);
}

void hits_and_misses_are_two_groups(Test& t) {
  const Claim& claim = program_of('b').claim;
  CountedBench bench({.seed = t.seed(), .claim = claim});
  const Report report = run_mended(t, bench, mended_b, "mended_b", "read_all");
  const Counts counts = bench.counts(report);
  const std::string evidence = evidence_of(claim, bench, report);
  const std::uint64_t pages = counts.pages;
  if (!t.holds(report.sum == bench.right_sum())) {
    t.fail(
        {.expected = fmt::format("sum {:#x}, of all bytes of {} pages", bench.right_sum(), pages),
         .found =
             fmt::format("sum {:#x}, which is of {}", report.sum, bench.meaning_of(report.sum)),
         .cause = "not all bytes that the claim counts were looked at",
         .function = "mended_b",
         .evidence = evidence});
  }
  Series ns = bench.read_ns();
  const std::uint64_t misses = counts.device_reads.value_or(0);
  if (!t.holds(misses == pages / 2 && ns.size() == pages)) {
    t.fail(
        {.expected = fmt::format("{} reads, and {} of them of the device: somebody else has read "
                                 "every other page, as in lies/b.cpp",
                                 pages, pages / 2),
         .found = fmt::format("{} reads, {} of them of the device", ns.size(), misses),
         .cause = misses == pages
                      ? "nobody has read every other page after the file was made cold; that is "
                        "another claim"
                      : "the file was not made cold before every other page was read; that is "
                        "another claim",
         .function = "mended_b",
         .evidence = evidence});
  }
  std::ranges::sort(ns);
  const auto split = ns.end() - static_cast<std::ptrdiff_t>(misses);
  const std::vector<Wanted> expected = {wanted({ns.begin(), split}), wanted({split, ns.end()})};
  if (!t.holds(fits(report.groups, expected, 0.02))) {
    t.fail({.expected = text_of(expected),
            .found = text_of(report.groups),
            .cause = "some reads came from memory and some from the device, and a number between "
                     "the two is how long no read takes; and each group must hold the reads of its "
                     "kind, all of them",
            .function = "mended_b",
            .evidence = evidence});
  }
  check_refused_advice(t, mended_b, "mended_b", claim,
                       [&](const Counts& warm) { return warm.device_reads == pages / 2; });
}

}  // namespace pagealloc::labs
