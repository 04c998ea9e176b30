// Records too large for a page: in a run of pages of their own, in one piece.
//
//   offset  bytes
//       32      8  bytes of the record
//       40         the record; zeros behind it, to the end of the run
//
// In its page stands a reference, of 16 bytes:
//        0      8  the first page of the run
//        8      8  bytes of the record
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "pagealloc/page/allocator.h"
#include "pagealloc/slotted/directory.h"

namespace pagealloc::slotted {

struct Reference {
  PageId page = 0;
  std::uint64_t bytes = 0;
};
using ReferenceBytes = std::array<std::byte, reference_bytes>;

/// As it stands in a page, and back. Precondition of decode: bytes.size() is 16. Thread safe.
ReferenceBytes encode(const Reference& reference) noexcept;
Reference decode_reference(std::span<const std::byte> bytes) noexcept;

/// Pages that a record of so many bytes takes. Thread safe.
std::uint64_t overflow_pages(std::uint64_t record_bytes, std::uint32_t page_bytes) noexcept;

/// Writes a record to pages of its own, which the allocator's next commit makes durable. Errors:
/// bad_argument for more than 1 GiB, those of allocate(), those of a write.
Result<Reference> write_overflow(page::Allocator& allocator, std::span<const std::byte> record);

/// Reads it back. Errc::damaged when the pages are not whole, or are another record's.
Result<std::vector<std::byte>> read_overflow(PageFile& file, const Reference& reference);

}  // namespace pagealloc::slotted
