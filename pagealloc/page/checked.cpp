#include "pagealloc/page/checked.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

namespace pagealloc::page {

namespace {

std::uint32_t page_bytes_of(const PageFile& file) { return file.geometry().page_bytes; }

Result<void> check_type(const PageFile& file, PageId page, const Header& header, Type type) {
  if (header.type == type) return {};
  constexpr std::uint64_t at_type = 4;
  return std::unexpected(error_of(file, page,
                                  {at_type, fmt::format("of type {}, where type {} is expected",
                                                        name_of(header.type), name_of(type))}));
}

Result<void> check_run(const PageFile& file, std::span<const std::byte> bytes, PageId page,
                       Type type) {
  const auto header = check(bytes, page, page_bytes_of(file));
  if (!header) return std::unexpected(error_of(file, page, header.error()));
  return check_type(file, page, *header, type);
}

}  // namespace

Buffer::Buffer(std::uint32_t page_bytes, std::uint32_t run)
    : size_bytes_(std::size_t{page_bytes} * run) {
  // Of a page of memory, or of the file's own: no system asks for more.
  const std::size_t align_bytes = std::max<std::size_t>(page_bytes, 4096);
  const std::size_t whole_bytes = (size_bytes_ + align_bytes - 1) / align_bytes * align_bytes;
  bytes_.reset(static_cast<std::byte*>(std::aligned_alloc(align_bytes, whole_bytes)));
  if (bytes_ == nullptr) throw std::bad_alloc();
  std::memset(bytes_.get(), 0, size_bytes_);
}

Error error_of(const PageFile& file, PageId page, const Damage& damage) {
  return Error{.code = damage.code,
               .path = std::string(file.path()),
               .page = page,
               .offset_bytes = page * page_bytes_of(file) + damage.offset_bytes,
               .cause = damage.cause};
}

Result<PageRef> read(PageFile& file, PageId page, Type type) {
  auto lent = read_page(file, page);
  if (!lent) return lent;
  if (auto good = check_run(file, lent->bytes(), page, type); !good) {
    // A file that somebody cut off reads as zeros there, and that is what is to be said.
    if (auto released = lent->release(); !released) return std::unexpected(released.error());
    return std::unexpected(good.error());
  }
  return lent;
}

Result<Buffer> read_raw(PageFile& file, PageId page, std::uint32_t run) {
  Buffer buffer(page_bytes_of(file), run);
  std::uint32_t piece = std::min(run, file.geometry().frames);
  for (std::uint32_t done = 0; done < run;) {
    piece = std::min(piece, run - done);
    auto lent = read_page(file, page + done, piece);
    if (!lent) {
      // The caller may hold frames, so that not so many are free side by side.
      if (lent.error().code != Errc::no_frames || piece == 1) return std::unexpected(lent.error());
      piece /= 2;
      continue;
    }
    std::ranges::copy(lent->bytes(),
                      buffer.bytes().data() + std::size_t{done} * page_bytes_of(file));
    if (auto good = lent->release(); !good) return std::unexpected(good.error());
    done += piece;
  }
  return buffer;
}

Result<Buffer> read_run(PageFile& file, PageId page, std::uint32_t run, Type type) {
  auto buffer = read_raw(file, page, run);
  if (!buffer) return buffer;
  if (auto good = check_run(file, buffer->bytes(), page, type); !good) {
    return std::unexpected(good.error());
  }
  return buffer;
}

std::uint32_t claimed_run(const PageFile& file, PageId page, std::span<const std::byte> bytes) {
  const Header header = header_of(bytes);
  const bool plausible = header.page == page && page < file.pages() &&
                         header.run <= file.pages() - page &&
                         header.run <= run_bytes_max / page_bytes_of(file) &&
                         (header.run == 1 || header.type == Type::overflow);
  return plausible && !is_blank(bytes) ? header.run : 0;
}

Result<void> write(PageFile& file, Buffer& run, const Header& header) {
  assert(run.bytes().size() == std::size_t{header.run} * page_bytes_of(file));
  seal(run.bytes(), header);
  return write_run(file, header.page, run.bytes());
}

}  // namespace pagealloc::page
