// The two-page protocol on two handles of one file, which change roles with every commit.
//
// One writes and the other one syncs what it wrote; the meta page is written from a frame or from
// memory of the store's own; and the handle that does not write holds the last commit's first page
// while the next one is made. Afterwards it must see the new commit, and what it held must be what
// it was. So whatever handles share, a cache above all, is put to the test with them.
#pragma once

#include <memory>

#include "harness/crash/two_page.h"

namespace pagealloc::crash {

class TwoHandles : public TwoPage {
 public:
  Result<void> open(const std::string& path, const Options& options) override;
  Result<void> commit(std::uint64_t number) override;

 protected:
  std::uint64_t length_pages() const override { return file_pages + other_pages; }
  PageFile& writer() override { return turn_ == 0 ? file() : *second_; }
  PageFile& reader() override { return turn_ == 0 && second_ ? *second_ : file(); }
  Result<void> write_data(std::uint64_t number) override;
  Result<void> sync_data() override { return sync(reader()); }
  Result<void> put_meta(PageId page, std::span<const std::byte> meta) override;
  Result<void> sync_meta() override { return sync(file()); }

 private:
  static constexpr std::uint64_t other_pages = 6;
  Result<void> look_around(std::uint64_t number);
  Result<void> see(std::uint64_t number);
  std::unique_ptr<PageFile> second_;
  unsigned turn_ = 0;
};

}  // namespace pagealloc::crash
