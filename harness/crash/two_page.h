// The smallest protocol that survives a power cut: data, sync, meta, sync.
//
// Pages 0 and 1 are meta pages, used in turn, and each points to a run of data pages of its own: 2
// and 3, or 4 and 5. Commit n writes its data and then says so in the meta page. So the pages of
// the last commit are never touched while the next one is written; LMDB and Btrfs stand on the same
// idea.
//
// Every step is a function of its own, so that a store with a mistake is the same store with one
// step done wrong.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "harness/crash/store.h"

namespace pagealloc::crash {

class TwoPage : public Store {
 public:
  /// The model: noise that differs from commit to commit and from word to word.
  static std::vector<std::byte> contents(std::uint64_t number);
  Result<void> open(const std::string& path, const Options& options) override;
  Result<void> commit(std::uint64_t number) override;
  std::uint64_t last() const override { return live_.number; }
  Result<std::vector<std::byte>> read() override;

 protected:
  static constexpr std::uint64_t data_pages = 2;  ///< of one commit
  static constexpr std::uint64_t file_pages = 2 + 2 * data_pages;

  /// What a meta page begins with; zeros follow.
  struct Meta {
    std::uint64_t page = 0;  ///< where it is meant to be: a misdirected write shows here
    std::uint64_t number = 0;
    std::uint64_t data_page = 0;  ///< the first of them
    std::uint64_t checksum = 0;   ///< of all of the above
  };
  /// What a data page begins with; its share of the contents follows.
  struct Header {
    std::uint64_t checksum = 0;  ///< of all that follows in the page
    std::uint64_t page = 0;      ///< where it is meant to be
    std::uint64_t number = 0;
  };
  static constexpr std::size_t page_bytes = 4096;
  static constexpr std::size_t share_bytes = page_bytes - sizeof(Header);  ///< of the contents
  using DataWrites = std::array<Op, data_pages>;

  virtual Options prepare(Options options) { return options; }
  virtual std::uint64_t length_pages() const { return file_pages; }
  virtual PageId data_page_of(std::uint64_t number) const { return 2 + number % 2 * data_pages; }
  virtual PageId meta_page_of(std::uint64_t number) const { return number % 2; }
  /// What a page says about where it is meant to be.
  virtual std::uint64_t place_of(PageId page) const { return page; }
  /// The handle that the next commit's pages are written through, and the one to look at the last.
  virtual PageFile& writer() { return file(); }
  virtual PageFile& reader() { return file(); }
  virtual Result<void> write_data(std::uint64_t number);
  virtual Result<void> sync_data() { return sync(file()); }
  virtual Result<void> write_meta(std::uint64_t number);
  virtual Result<void> put_meta(PageId page, std::span<const std::byte> meta) {
    return write_page(writer(), page, meta);
  }
  virtual Result<void> sync_meta() { return sync(file()); }
  virtual bool valid(const Meta& meta, PageId page) const;

  PageFile& file() { return *file_; }
  Result<void> reopen();
  /// What a whole data page says; nothing when it is not whole.
  static std::optional<Header> header_of(std::span<const std::byte> bytes);
  /// Nothing when it is torn, or was never written.
  Result<std::optional<Meta>> read_meta(PageId page);
  Error damaged(PageId page, std::string cause) const;
  /// The commit's data in staged frames, ready to be written.
  Result<DataWrites> stage_data(std::uint64_t number);
  /// Submits and reaps them all, together; the first error, if there is one.
  Result<void> carry_out(std::span<Op* const> ops);
  static std::uint64_t checksum_of(const Meta& meta);
  void forget_commits() { live_ = {}; }
  const Meta& live() const { return live_; }

 private:
  /// Of a data page; nothing when it is not whole.
  Result<std::optional<Header>> read_header(PageId page);
  Result<void> check_none_is_missing();
  std::string path_;
  Options options_;
  std::unique_ptr<PageFile> file_;
  Meta live_;     // of the last commit
  Meta written_;  // of the one that is being made
};

}  // namespace pagealloc::crash
