// Which mistakes are planted, where, and how they are drawn.
#include <fmt/format.h>

#include <algorithm>

#include "labs/06_break_it/tests/planted.h"

namespace pagealloc::crash {

namespace {

constexpr std::string_view all_ways =
    "pread pread_pool mmap mmap_map direct uring uring_buffered direct_cached uring_cached";
// What is staged in a map is in the file, so a page that is written late is not late there.
constexpr std::string_view ways_without_map =
    "pread pread_pool mmap direct uring uring_buffered direct_cached uring_cached";

const Way* way_named(std::string_view name) {
  return &*std::ranges::find(ways(), name, &Way::name);
}

constexpr Family known[] = {
    {Step::no_sync_before_meta,
     "the meta page may arrive before the data it points to",
     3,
     1,
     all_ways,
     {},
     20,
     "no-sync-before-meta"},
    {Step::no_sync_after_meta,
     "acknowledged before the meta page is durable",
     3,
     1,
     all_ways,
     {},
     20,
     "no-sync-after-meta"},
    {Step::late_page,
     "one of the data pages is written after the sync that should cover it",
     2,
     2,
     ways_without_map,
     {},
     20,
     "no-sync-before-meta"},
    {Step::meta_before_data,
     "the meta page points to data that is not there yet",
     2,
     1,
     all_ways,
     {},
     20,
     "meta-before-data"},
    {Step::live_data_reused,
     "the last commit's data is overwritten before the next is safe",
     1,
     2,
     all_ways,
     {},
     10,
     "live-page-reused"},
    {Step::one_meta_page, "the only meta page is overwritten: torn, it takes all commits with it",
     1, 2, all_ways, Weather::calm, 64, "meta-without-checksum"},
    {Step::sum_not_checked, "a torn meta page is taken for a whole one", 1, 2, all_ways,
     Weather::calm, 64, "meta-without-checksum"},
    {Step::sync_error_ignored, "a sync that failed made nothing durable", 1, 1,
     "pread pread_pool mmap direct uring uring_buffered", Weather::failing, 150,
     "sync-error-ignored"},
    {Step::retried_sync_trusted,
     "after a failed sync the pages are clean, and the next one succeeds without them", 1, 1,
     "pread pread_pool mmap uring_buffered", Weather::failing, 320, "retried-sync-trusted"},
    {Step::sync_beside_write,
     "a sync covers what was reaped before it was submitted, not what is under way beside it",
     2,
     1,
     "pread_pool uring uring_buffered",
     {},
     60,
     "sync-beside-write"},
    {Step::acknowledged_at_submit,
     "a sync that was submitted has made nothing durable yet",
     1,
     1,
     "pread_pool uring",
     {},
     20,
     "acknowledged-before-sync"},
    {Step::direct_trusted,
     "O_DIRECT passes the page cache by, not the drive's",
     1,
     1,
     "direct uring",
     {},
     10,
     "direct-taken-for-durable"},
    {Step::directory_not_synced,
     "a new file's name is durable after its directory's fsync",
     1,
     1,
     all_ways,
     {},
     10,
     "directory-never-synced"},
    {Step::recovered_not_synced,
     "what a reader was shown after a process died must survive the power cut after that",
     1,
     1,
     "pread mmap",
     {},
     120,
     "recovered-not-synced"},
    {Step::live_meta_rewritten,
     "after a recovery the meta page of the last commit is overwritten while the store needs it",
     1,
     2,
     "pread direct",
     Weather::calm,
     100,
     {}},
    {Step::page_number_missing,
     "a page written to another's place passes when the checksum is not over its number", 1, 1,
     "pread direct uring", Weather::bad_medium, 240, "page-number-missing"},
    {Step::damage_taken_for_empty, "a page that cannot be read, or is not whole, is an error", 1, 1,
     "pread direct", Weather::bad_medium, 240, "damage-taken-for-empty"},
};

constexpr Right odd[] = {
    {Step::one_page_at_a_time, "pread mmap uring",
     "the data pages are written one at a time, the last one first",
     "before the sync their order is nobody's business"},
    {Step::each_sync_twice, "pread mmap_map direct", "each sync is made twice",
     "the second one has nothing to do"},
    {Step::written_through, "pread direct uring",
     "there is no sync, and the file is opened write-through",
     "a reaped write is durable then (clause 15 of the contract)"},
    {Step::three_runs, "pread direct uring_cached",
     "three runs of data pages are used in turn, not two",
     "the pages of the last commit are not touched, which is all that counts"},
};

}  // namespace

std::span<const Right> rights() { return odd; }

std::vector<const Way*> ways_in(std::string_view names) {
  std::vector<const Way*> found;
  for (std::string_view rest = names; !rest.empty();) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    found.push_back(way_named(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return found;
}

std::span<const Family> families() { return known; }

std::vector<Planted> variants_of(const Family& family) {
  std::vector<Planted> all;
  for (const Way* way : ways_in(family.ways)) {
    for (std::uint64_t variant = 0; variant < family.variants; ++variant) {
      for (std::uint64_t every = 1; every <= family.every_max; ++every) {
        for (std::uint64_t rest = 0; rest < every; ++rest) {
          all.push_back({&family, {family.step, every, rest, variant}, way});
        }
      }
    }
  }
  return all;
}

std::vector<Planted> planted(std::uint64_t seed, std::size_t count) {
  Random random(seed ^ 0x9A17);
  std::vector<const Family*> left;
  for (const Family& family : families()) left.push_back(&family);
  std::vector<Planted> drawn;
  while (drawn.size() < count && !left.empty()) {
    const auto at = static_cast<std::ptrdiff_t>(random.below(left.size()));
    const auto all = variants_of(*left[static_cast<std::size_t>(at)]);
    drawn.push_back(all[random.below(all.size())]);
    left.erase(left.begin() + at);
  }
  return drawn;
}

std::string text_of(const Plan& plan) {
  if (plan.every == 1) return "in every commit";
  const std::uint64_t first = plan.rest == 0 ? plan.every : plan.rest;
  return fmt::format("in commits {}, {} and so on", first, first + plan.every);
}

}  // namespace pagealloc::crash
