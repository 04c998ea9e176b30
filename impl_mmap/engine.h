// Page files through a shared map: reading is address arithmetic, the kernel does the rest.
#pragma once

#include <memory>
#include <string_view>

#include "pagealloc/io_engine.h"

namespace pagealloc::impl_mmap {

/// Opens and maps `path`. Uses Options::write_path, access and map_reserve_bytes.
Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options);

/// The one map that all handles of a file read through. It covers the whole reserved range from
/// the start, beyond the end of the file too: growing the file makes more of it valid, and no lent
/// address ever moves.
class Map {
 public:
  static Result<std::shared_ptr<Map>> make(SharedFile& shared);
  ~Map();
  Map(const Map&) = delete;
  Map& operator=(const Map&) = delete;
  std::byte* base() const noexcept { return base_; }

 private:
  Map(SharedFile& shared, std::byte* base, std::size_t bytes)
      : shared_(shared), base_(base), bytes_(bytes) {}
  SharedFile& shared_;  // whoever has the map has this as well, and longer
  std::byte* base_;
  std::size_t bytes_;
};

class Engine final : public IoEngine {
 public:
  static Result<std::unique_ptr<IoEngine>> make(std::shared_ptr<SharedFile> shared,
                                                std::shared_ptr<Map> map);
  Engine(std::shared_ptr<SharedFile> shared, std::shared_ptr<Map> map)
      : IoEngine(std::move(shared)), map_(std::move(map)) {}
  Result<std::unique_ptr<IoEngine>> another() noexcept override;
  void begin(Op& op) noexcept override;
  const std::byte* base() const noexcept override { return map_->base(); }
  std::byte* page_in_place(PageId page) noexcept override;

 private:
  blocking::Outcome write(const Op& op) noexcept;
  blocking::Outcome sync() noexcept;
  std::byte* address_of(PageId page) const noexcept {
    return map_->base() + shared().offset_of(page);
  }

  std::shared_ptr<Map> map_;
};

}  // namespace pagealloc::impl_mmap
