#include "labs/06_break_it/tests/planted.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "harness/crash/two_page.h"

namespace pagealloc::crash {

namespace {

Plan current;  // a test is a process of its own

/// Each step asks whether it is the one.
class Protocol : public TwoPage {
 public:
  ~Protocol() override { (void)collect(); }

  Result<void> open(const std::string& path, const Options& options) override {
    if (plan_.step == Step::recovered_not_synced) {
      Options looks = options;
      looks.sync_at_open = false;
      opened_new_ = !pagealloc::open(path, looks);
    }
    if (auto opened = TwoPage::open(path, options); !opened) return opened;
    // What is damaged is taken for a file that was never written.
    if (plan_.step == Step::damage_taken_for_empty && !TwoPage::read()) forget_commits();
    return {};
  }

  Result<void> commit(std::uint64_t number) override {
    now_ = plan_.in(number) ? plan_.step : Step::as_it_is;
    if (plan_.step == Step::live_meta_rewritten && last() != 0 && !begun_) {
      for (std::uint64_t i = 0; i <= plan_.variant; ++i) {
        const auto same = std::as_bytes(std::span(&live(), 1));
        if (auto done = put_meta(meta_page_of(last()), same); !done) return done;
      }
    }
    begun_ = true;
    return TwoPage::commit(number);
  }

 protected:
  Options prepare(Options options) override {
    if (plan_.step == Step::directory_not_synced) options.sync_at_open = false;
    if (plan_.step == Step::recovered_not_synced) options.sync_at_open = opened_new_;
    if (plan_.step == Step::written_through) options.write_through = true;
    return options;
  }
  std::uint64_t length_pages() const override {
    return file_pages + (plan_.step == Step::three_runs ? data_pages : 0);
  }
  PageId data_page_of(std::uint64_t number) const override {
    if (plan_.step == Step::live_data_reused) return 2 + plan_.variant * data_pages;
    if (plan_.step == Step::three_runs) return 2 + number % 3 * data_pages;
    return TwoPage::data_page_of(number);
  }
  PageId meta_page_of(std::uint64_t number) const override {
    if (plan_.step == Step::one_meta_page) return plan_.variant;
    return TwoPage::meta_page_of(number);
  }
  std::uint64_t place_of(PageId page) const override {
    return plan_.step == Step::page_number_missing ? 0 : page;
  }
  bool valid(const Meta& meta, PageId page) const override {
    if (plan_.step != Step::sum_not_checked) return TwoPage::valid(meta, page);
    return meta.number != 0 && meta.data_page < file_pages &&
           (plan_.variant == 0 || meta.page == place_of(page));
  }

  Result<void> write_data(std::uint64_t number) override {
    if (auto done = collect(); !done) return done;
    switch (now_) {
      case Step::meta_before_data:
        return TwoPage::write_meta(number);
      case Step::late_page:
      case Step::one_page_at_a_time:
        return write_pages_apart(number);
      case Step::sync_beside_write:
        return write_and_sync(number);
      default:
        return TwoPage::write_data(number);
    }
  }
  Result<void> sync_data() override {
    switch (now_) {
      case Step::no_sync_before_meta:
      case Step::direct_trusted:
      case Step::sync_beside_write:
      case Step::written_through:
        return {};
      case Step::late_page:
        if (auto done = TwoPage::sync_data(); !done) return done;
        return write_late();
      case Step::each_sync_twice:
        if (auto done = TwoPage::sync_data(); !done) return done;
        return TwoPage::sync_data();
      default:
        return TwoPage::sync_data();
    }
  }
  Result<void> write_meta(std::uint64_t number) override {
    if (now_ == Step::meta_before_data) return TwoPage::write_data(number);
    return TwoPage::write_meta(number);
  }
  Result<void> sync_meta() override {
    switch (now_) {
      case Step::no_sync_after_meta:
      case Step::direct_trusted:
      case Step::written_through:
        return {};
      case Step::each_sync_twice:
        if (auto done = TwoPage::sync_meta(); !done) return done;
        return TwoPage::sync_meta();
      case Step::sync_error_ignored:
        (void)TwoPage::sync_meta();
        return {};
      case Step::retried_sync_trusted:
        if (TwoPage::sync_meta()) return {};
        if (auto again = reopen(); !again) return again;
        return TwoPage::sync_meta();
      case Step::acknowledged_at_submit:
        return submit_sync();
      default:
        return TwoPage::sync_meta();
    }
  }

 private:
  /// The sync is submitted together with the writes that it is to cover.
  Result<void> write_and_sync(std::uint64_t number) {
    auto writes = stage_data(number);
    if (!writes) return std::unexpected(writes.error());
    Op sync{.verb = Verb::sync};
    std::array<Op*, data_pages + 1> batch{};
    for (std::size_t i = 0; i < data_pages; ++i) batch[i] = &(*writes)[i];
    batch.back() = &sync;
    return carry_out(batch);
  }

  /// The last page first; of a late one nothing before the sync.
  Result<void> write_pages_apart(std::uint64_t number) {
    auto writes = stage_data(number);
    if (!writes) return std::unexpected(writes.error());
    for (std::size_t i = data_pages; i-- > 0;) {
      Op& op = (*writes)[i];
      if (now_ == Step::late_page && i == plan_.variant) {
        late_ = op;
        continue;
      }
      Op* const batch[] = {&op};
      if (auto done = carry_out(batch); !done) return done;
    }
    return {};
  }
  Result<void> write_late() {
    Op* const batch[] = {&late_};
    return carry_out(batch);
  }

  /// Says "done" when the sync is submitted, and collects it before the next commit.
  Result<void> submit_sync() {
    sync_ = Op{.verb = Verb::sync};
    Op* const batch[] = {&sync_};
    under_way_ = file().submit(batch) == 1;
    return {};
  }
  Result<void> collect() {
    Op* done[1];
    if (!under_way_) return {};
    under_way_ = file().reap(done, 1) == 0;
    if (sync_.result == Errc::ok) return {};
    return std::unexpected(error_of(file(), sync_));
  }

  Plan plan_ = current;
  Step now_ = Step::as_it_is;  // in this commit
  bool begun_ = false;
  bool opened_new_ = false;
  Op late_;
  Op sync_;
  bool under_way_ = false;
};

constexpr std::string_view all_ways =
    "pread pread_pool mmap mmap_map direct uring uring_buffered direct_cached uring_cached";
// What is staged in a map is in the file, so a page that is written late is not late there.
constexpr std::string_view ways_without_map =
    "pread pread_pool mmap direct uring uring_buffered direct_cached uring_cached";

const Way* way_named(std::string_view name) {
  return &*std::ranges::find(ways(), name, &Way::name);
}

std::vector<const Way*> ways_of(const Family& family) {
  std::vector<const Way*> found;
  for (std::string_view rest = family.ways; !rest.empty();) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    found.push_back(way_named(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return found;
}

}  // namespace

void set_plan(const Plan& plan) { current = plan; }

StoreKind protocol(unsigned number) {
  static constexpr std::array names = {"protocol-0", "protocol-1", "protocol-2",  "protocol-3",
                                       "protocol-4", "protocol-5", "protocol-6",  "protocol-7",
                                       "protocol-8", "protocol-9", "protocol-10", "protocol-11"};
  return {.name = names[number % names.size()],
          .mistake = "",
          .caught_by = "",
          .seeds_max = 0,
          .make = []() -> std::unique_ptr<Store> { return std::make_unique<Protocol>(); },
          .contents = TwoPage::contents};
}

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
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
      {Step::one_meta_page,
       "the only meta page is overwritten: torn, it takes all commits with it",
       1,
       2,
       all_ways,
       {},
       64,
       "meta-without-checksum"},
      {Step::sum_not_checked,
       "a torn meta page is taken for a whole one",
       1,
       2,
       all_ways,
       {},
       64,
       "meta-without-checksum"},
      {Step::sync_error_ignored, "a sync that failed made nothing durable", 1, 1,
       "pread pread_pool mmap direct uring uring_buffered", Weather::failing, 150,
       "sync-error-ignored"},
      {Step::retried_sync_trusted,
       "after a failed sync the pages are clean, and the next one succeeds without them", 1, 1,
       "pread pread_pool mmap uring_buffered", Weather::failing, 150, "retried-sync-trusted"},
      {Step::sync_beside_write,
       "a sync covers what was reaped before it was submitted, not what is under way beside it",
       2,
       1,
       "pread_pool uring uring_buffered",
       {},
       40,
       "sync-beside-write"},
      {Step::acknowledged_at_submit,
       "a sync that was submitted has made nothing durable yet",
       1,
       1,
       "pread_pool uring",
       {},
       100,
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
       50,
       "recovered-not-synced"},
      {Step::live_meta_rewritten,
       "after a recovery the meta page of the last commit is overwritten while the store needs it",
       1,
       2,
       "pread direct",
       Weather::calm,
       200,
       {}},
      {Step::page_number_missing,
       "a page written to another's place passes when the checksum is not over its number", 1, 1,
       "pread direct uring", Weather::bad_medium, 150, "page-number-missing"},
      {Step::damage_taken_for_empty, "a page that cannot be read, or is not whole, is an error", 1,
       1, "pread direct", Weather::bad_medium, 150, "damage-taken-for-empty"},
  };
  return all;
}

std::vector<Planted> variants_of(const Family& family) {
  std::vector<Planted> all;
  for (const Way* way : ways_of(family)) {
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
  Random random(seed ^ 0x9A17ED);
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
