#include "harness/crash/canaries.h"

#include <array>

#include "harness/crash/objects.h"
#include "harness/crash/two_handles.h"

namespace pagealloc::crash {

namespace {

class NoSyncBeforeMeta final : public TwoPage {
  Result<void> sync_data() override { return {}; }
};

class NoSyncAfterMeta final : public TwoPage {
  Result<void> sync_meta() override { return {}; }
};

/// The sync is submitted together with the writes that it is to cover.
class SyncBesideWrite final : public TwoPage {
  Result<void> write_data(std::uint64_t number) override {
    auto writes = stage_data(number);
    if (!writes) return std::unexpected(writes.error());
    Op sync{.verb = Verb::sync};
    std::array<Op*, data_pages + 1> batch;
    for (std::size_t i = 0; i < data_pages; ++i) batch[i] = &(*writes)[i];
    batch.back() = &sync;
    return carry_out(batch);
  }
  Result<void> sync_data() override { return {}; }
};

/// Says "done" when the sync is submitted, and collects it before the next commit.
class AcknowledgedBeforeSync final : public TwoPage {
 public:
  ~AcknowledgedBeforeSync() override { (void)collect(); }

 private:
  Result<void> write_data(std::uint64_t number) override {
    if (auto done = collect(); !done) return done;
    return TwoPage::write_data(number);
  }
  Result<void> sync_meta() override {
    sync_ = Op{.verb = Verb::sync};
    Op* batch[] = {&sync_};
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
  Op sync_;
  bool under_way_ = false;
};

class MetaWithoutChecksum final : public TwoPage {
  bool valid(const Meta& meta, PageId) const override {
    return meta.number != 0 && meta.data_page < file_pages;
  }
};

class MetaBeforeData final : public TwoPage {
  Result<void> write_data(std::uint64_t number) override { return TwoPage::write_meta(number); }
  Result<void> sync_data() override { return TwoPage::sync_meta(); }
  Result<void> write_meta(std::uint64_t number) override { return TwoPage::write_data(number); }
  Result<void> sync_meta() override { return TwoPage::sync_data(); }
};

class LivePageReused final : public TwoPage {
  PageId data_page_of(std::uint64_t) const override { return 2; }
};

class SyncErrorIgnored final : public TwoPage {
  Result<void> sync_meta() override {
    (void)sync(file());
    return {};
  }
};

/// After a failed sync it opens the file again and syncs once more, which succeeds: Linux has
/// marked the page clean.
class RetriedSyncTrusted final : public TwoPage {
  Result<void> sync_meta() override {
    if (sync(file())) return {};
    if (auto again = reopen(); !again) return again;
    return sync(file());
  }
};

class DirectoryNeverSynced final : public TwoPage {
  Options prepare(Options options) override {
    options.sync_at_open = false;
    return options;
  }
};

class DirectTakenForDurable final : public TwoPage {
  Result<void> sync_data() override { return {}; }
  Result<void> sync_meta() override { return {}; }
};

/// Pages do not say where they belong, so one that was written to another's place looks right.
class PageNumberMissing final : public TwoPage {
  std::uint64_t place_of(PageId) const override { return 0; }
};

/// What a dead process has left in the page cache is served, and never synced.
class RecoveredNotSynced final : public TwoPage {
  Options prepare(Options options) override {
    options.sync_at_open = opened_new_;
    return options;
  }
  Result<void> open(const std::string& path, const Options& options) override {
    Options looks = options;
    looks.sync_at_open = false;
    opened_new_ = !pagealloc::open(path, looks);
    return TwoPage::open(path, options);
  }
  bool opened_new_ = false;
};

/// What is damaged is taken for a file that was never written, instead of an error.
class DamageTakenForEmpty final : public TwoPage {
  Result<void> open(const std::string& path, const Options& options) override {
    if (auto opened = TwoPage::open(path, options); !opened) return opened;
    if (!TwoPage::read()) forget_commits();
    return {};
  }
};

template <typename T>
std::unique_ptr<Store> make() {
  return std::make_unique<T>();
}

constexpr std::array kinds = {
    StoreKind{"no-sync-before-meta", "the meta page may arrive before the data it points to", "b",
              10, make<NoSyncBeforeMeta>, TwoPage::contents},
    StoreKind{"no-sync-after-meta", "acknowledged before the meta page is durable", "a", 10,
              make<NoSyncAfterMeta>, TwoPage::contents},
    StoreKind{"sync-beside-write",
              "a sync covers what was reaped before it was submitted, not what is under way beside "
              "it",
              "be", 20, make<SyncBesideWrite>, TwoPage::contents},
    StoreKind{"acknowledged-before-sync", "a sync that was submitted has made nothing durable yet",
              "ai", 100, make<AcknowledgedBeforeSync>, TwoPage::contents},
    StoreKind{"meta-without-checksum", "a torn meta page is taken for a whole one", "abde", 64,
              make<MetaWithoutChecksum>, TwoPage::contents},
    StoreKind{"meta-before-data", "the meta page points to data that is not there yet", "b", 10,
              make<MetaBeforeData>, TwoPage::contents},
    StoreKind{"live-page-reused", "the last commit's data is overwritten before the next is safe",
              "b", 10, make<LivePageReused>, TwoPage::contents},
    StoreKind{"sync-error-ignored", "a sync that failed made nothing durable", "ai", 100,
              make<SyncErrorIgnored>, TwoPage::contents},
    StoreKind{"retried-sync-trusted",
              "after a failed sync the pages are clean, and the next one succeeds without them",
              "ai", 150, make<RetriedSyncTrusted>, TwoPage::contents},
    StoreKind{"directory-never-synced", "a new file's name is durable after its directory's fsync",
              "a", 10, make<DirectoryNeverSynced>, TwoPage::contents},
    StoreKind{"short-taken-for-whole", "a write may be short, and the rest of it is to be written",
              "be", 10, make<TwoPage>, TwoPage::contents, true},
    StoreKind{"page-number-missing",
              "a page written to another's place passes when the checksum is not over its number",
              "g", 150, make<PageNumberMissing>, TwoPage::contents},
    StoreKind{"damage-taken-for-empty", "a page that cannot be read, or is not whole, is an error",
              "g", 500, make<DamageTakenForEmpty>, TwoPage::contents},
    StoreKind{"direct-taken-for-durable", "O_DIRECT passes the page cache by, not the drive's",
              "abi", 10, make<DirectTakenForDurable>, TwoPage::contents},
    StoreKind{"recovered-not-synced",
              "what a reader was shown after a process died must survive the power cut after that",
              "i", 50, make<RecoveredNotSynced>, TwoPage::contents},
};

constexpr StoreKind right{"two-page", "", "", 0, make<TwoPage>, TwoPage::contents};
constexpr StoreKind right_on_two{"two-handles", "", "", 0, make<TwoHandles>, TwoPage::contents};
constexpr StoreKind allocator{"allocator", "", "", 0, make<Objects>, Objects::contents, false, 512};

}  // namespace

const StoreKind& correct() { return right; }
const StoreKind& correct_on_two_handles() { return right_on_two; }
const StoreKind& correct_allocator() { return allocator; }
std::span<const StoreKind> canaries() { return kinds; }

}  // namespace pagealloc::crash
