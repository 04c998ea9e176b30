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

}  // namespace pagealloc::crash
