// The smallest protocol that survives a power cut: data, sync, meta, sync.
//
// Page 0 and 1 are meta pages, 2 and 3 data pages, used in turn: commit n writes its data to page
// 2 + n % 2 and then says so in meta page n % 2. So the pages of the last commit are never touched
// while the next one is written; LMDB and Btrfs stand on the same idea.
//
// Every step is a function of its own, so that a store with a mistake is the same store with one
// step done wrong.
#pragma once

#include <optional>

#include "harness/crash/store.h"

namespace pagealloc::crash {

class TwoPage : public Store {
 public:
  Result<void> open(const std::string& path, const Options& options) override;
  Result<void> commit(std::uint64_t number) override;
  std::uint64_t last() const override { return last_; }
  Result<void> check() override;

 protected:
  /// What a meta page begins with; zeros follow.
  struct Meta {
    std::uint64_t page = 0;  ///< where it is meant to be: a misdirected write shows here
    std::uint64_t number = 0;
    std::uint64_t data_page = 0;
    std::uint64_t data_checksum = 0;
    std::uint64_t checksum = 0;  ///< of all of the above
  };

  virtual Options prepare(Options options) { return options; }
  virtual PageId data_page_of(std::uint64_t number) const { return 2 + number % 2; }
  virtual PageId meta_page_of(std::uint64_t number) const { return number % 2; }
  virtual Result<void> write_data(std::uint64_t number);
  virtual Result<void> sync_data() { return sync(file()); }
  virtual Result<void> write_meta(std::uint64_t number);
  virtual Result<void> sync_meta() { return sync(file()); }
  virtual std::uint64_t checksum_of(const Meta& meta) const;
  virtual bool valid(const Meta& meta, PageId page) const;

  PageFile& file() { return *file_; }
  const std::string& path() const { return path_; }
  const Options& options() const { return options_; }
  Result<void> reopen();
  /// For those who do the steps in another way.
  void note_data(std::span<const std::byte> bytes);
  void note_commit(std::uint64_t number) { last_ = number; }

 private:
  Result<std::optional<Meta>> read_meta(PageId page);
  Error damaged(PageId page, std::string cause) const;
  std::string path_;
  Options options_;
  std::unique_ptr<PageFile> file_;
  std::uint64_t last_ = 0;
  std::uint64_t data_checksum_ = 0;  // of the data that was written last
  Meta live_;
};

}  // namespace pagealloc::crash
