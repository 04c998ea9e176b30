// Reading and writing pages that carry a header, through any page file. Blocking, like the helpers
// of page_file.h, and with the same precondition: nothing else is in flight on the handle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include "pagealloc/page/header.h"
#include "pagealloc/page_file.h"

namespace pagealloc::page {

/// Pages in memory, aligned so that any page file takes them; zeros at first. The process ends when
/// there is no memory, as it does for new.
class Buffer {
 public:
  Buffer(std::uint32_t page_bytes, std::uint32_t run);
  std::span<std::byte> bytes() noexcept { return {bytes_.get(), size_bytes_}; }
  std::span<const std::byte> bytes() const noexcept { return {bytes_.get(), size_bytes_}; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
  };
  std::size_t size_bytes_;
  std::unique_ptr<std::byte, Free> bytes_;
};

/// A damage as an error, with its place in the file.
Error error_of(const PageFile& file, PageId page, const Damage& damage);

/// Lends a page that is whole and of this type; anything else is Errc::damaged.
[[nodiscard]] Result<PageRef> read(PageFile& file, PageId page, Type type);
/// Reads `run` pages whatever they are, into memory of its own: a run may have more pages than the
/// file has frames.
[[nodiscard]] Result<Buffer> read_raw(PageFile& file, PageId page, std::uint32_t run);
/// The same, whole and of this type; anything else is Errc::damaged.
[[nodiscard]] Result<Buffer> read_run(PageFile& file, PageId page, std::uint32_t run, Type type);

/// Pages of the run that these bytes of `page` say, at the right place, to begin; 0: they say
/// nothing of the kind. Whether they are whole is another question. Precondition: header_bytes are
/// there. Thread safe.
std::uint32_t claimed_run(const PageFile& file, PageId page, std::span<const std::byte> bytes);

/// Seals the run and writes it. Not durable before sync(). Precondition: header.run pages.
[[nodiscard]] Result<void> write(PageFile& file, Buffer& run, const Header& header);

}  // namespace pagealloc::page
