#include "harness/crash/canaries.h"

#include <array>
#include <cstring>

#include "harness/crash/two_page.h"

namespace pagealloc::crash {

namespace {

class NoSyncBeforeMeta final : public TwoPage {
  Result<void> sync_data() override { return {}; }
};

class NoSyncAfterMeta final : public TwoPage {
  Result<void> sync_meta() override { return {}; }
};

/// The sync is submitted together with the write that it is to cover.
class SyncBesideWrite final : public TwoPage {
  Result<void> write_data(std::uint64_t number) override {
    const auto bytes = contents(number, file().geometry().page_bytes);
    note_data(bytes);
    Op write{.verb = Verb::write, .page = data_page_of(number)};
    write.frame = file().stage(write.page, 1);
    if (write.frame == nullptr) return {};
    std::memcpy(write.frame, bytes.data(), bytes.size());
    Op sync{.verb = Verb::sync};
    Op* batch[] = {&write, &sync};
    Op* done[2];
    std::size_t taken = file().submit(batch);
    for (std::size_t back = 0; back < 2;) {
      back += file().reap(done, 1);
      if (taken < 2) taken += file().submit(std::span(batch).subspan(taken));
    }
    for (const Op* op : batch) {
      if (op->result != Errc::ok) return std::unexpected(error_of(file(), *op));
    }
    return {};
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
  bool valid(const Meta& meta, PageId) const override { return meta.number != 0; }
};

class MetaBeforeData final : public TwoPage {
  Result<void> commit(std::uint64_t number) override {
    note_data(contents(number, file().geometry().page_bytes));
    if (auto done = write_meta(number); !done) return done;
    if (auto done = sync_meta(); !done) return done;
    if (auto done = write_data(number); !done) return done;
    if (auto done = sync_data(); !done) return done;
    note_commit(number);
    return {};
  }
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

template <typename T>
std::unique_ptr<Store> make() {
  return std::make_unique<T>();
}

constexpr std::array kinds = {
    StoreKind{"no-sync-before-meta", "the meta page may arrive before the data it points to",
              make<NoSyncBeforeMeta>},
    StoreKind{"no-sync-after-meta", "acknowledged before the meta page is durable",
              make<NoSyncAfterMeta>},
    StoreKind{"sync-beside-write",
              "a sync covers what was reaped before it was submitted, not "
              "what is under way beside it",
              make<SyncBesideWrite>},
    StoreKind{"acknowledged-before-sync", "a sync that was submitted has made nothing durable yet",
              make<AcknowledgedBeforeSync>},
    StoreKind{"meta-without-checksum", "a torn meta page is taken for a whole one",
              make<MetaWithoutChecksum>},
    StoreKind{"meta-before-data", "the meta page points to data that is not there yet",
              make<MetaBeforeData>},
    StoreKind{"live-page-reused", "the last commit's data is overwritten before the next is safe",
              make<LivePageReused>},
    StoreKind{"sync-error-ignored", "a sync that failed made nothing durable",
              make<SyncErrorIgnored>},
    StoreKind{"retried-sync-trusted",
              "after a failed sync the pages are clean, and the next one "
              "succeeds without them",
              make<RetriedSyncTrusted>},
    StoreKind{"directory-never-synced", "a new file's name is durable after its directory's fsync",
              make<DirectoryNeverSynced>},
    StoreKind{"direct-taken-for-durable", "O_DIRECT passes the page cache by, not the drive's",
              make<DirectTakenForDurable>},
};

constexpr StoreKind right{"two-page", "", make<TwoPage>};

}  // namespace

const StoreKind& correct() { return right; }
std::span<const StoreKind> canaries() { return kinds; }

}  // namespace pagealloc::crash
