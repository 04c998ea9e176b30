// Objects of some pages each, made and dropped at random: what puts the allocator to the test.
//
// A commit makes and drops some objects; each is a run of pages of its own, and none is ever
// changed. A directory, in a run that each commit writes anew, says where they are. Some commits
// begin with giving pages back. What open() finds must be whole: each page is a superblock, the
// map's, an object's or the directory's, or it is free, and never two of these.
#pragma once

#include <map>
#include <optional>

#include "harness/crash/store.h"
#include "pagealloc/page/allocator.h"

namespace pagealloc::crash {

class Objects final : public Store {
 public:
  static constexpr unsigned operations = 10;  ///< of a commit
  static std::vector<std::byte> contents(std::uint64_t number);

  Result<void> open(const std::string& path, const Options& options) override;
  Result<void> commit(std::uint64_t number) override;
  std::uint64_t last() const override { return last_; }
  Result<std::vector<std::byte>> read() override;

 private:
  struct Place {
    PageId page;
    std::uint32_t run;
    std::uint32_t
        checksum;  ///< a page that was not written leaves an older one there that is whole
  };
  Result<void> read_directory();
  Result<void> audit() const;
  Result<void> give_back(std::uint64_t number);
  Result<void> apply(std::uint64_t number);
  Result<void> write_directory();
  Result<Place> store(std::span<const std::byte> content);
  Result<page::Buffer> load(const Place& place) const;
  Error wrong(PageId page, std::string cause) const;

  std::unique_ptr<PageFile> file_;
  std::optional<page::Allocator> allocator_;
  std::map<std::uint64_t, Place> objects_;  // by name: the number of the operation that made it
  std::optional<Place> directory_;
  std::uint64_t last_ = 0;
};

}  // namespace pagealloc::crash
