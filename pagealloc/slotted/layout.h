// What a page is made of, byte by byte: for those who want to see it, whatever its bytes are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pagealloc/page/header.h"

namespace pagealloc::slotted {

/// What some bytes of a page are.
enum class Kind : std::uint8_t {
  header,     ///< of the page
  fields,     ///< numbers behind it, by the page's type
  slot,       ///< says where a record lies
  erased,     ///< a slot without a record
  gap,        ///< between the slots and the heap
  record,     ///< with its key, in a node
  reference,  ///< in place of a record: where the pages are that it lies in
  fragment,   ///< of the heap, in no record
  prefix,     ///< what all keys of a node begin with
  states,     ///< of pages, in a leaf of the free map
  entries,    ///< of the free map's inner pages
  content,    ///< of a record in pages of its own
  zeros,      ///< nothing
};
std::string_view name_of(Kind kind);
inline constexpr std::size_t kinds = 13;

/// Bytes that are one thing.
struct Area {
  std::uint64_t offset_bytes = 0;
  std::uint64_t bytes = 0;
  Kind kind = Kind::zeros;
  std::optional<std::uint32_t> slot = {};  ///< whose: of slots, records and references
};

/// A number with a name.
struct Field {
  std::uint32_t offset_bytes;
  std::uint32_t bytes;
  std::string_view name;
  std::string value;
};

struct Layout {
  page::Header header = {};
  std::optional<page::Damage> damage = {};  ///< the first thing that is wrong with the page
  std::vector<Field> fields = {};           ///< of the header and behind it, in order
  std::vector<Area> areas = {};             ///< all bytes, in order, none twice
};

/// Takes any bytes: `run` is a page, or all pages of a run. What makes no sense is left out, and
/// `damage` says what is wrong. Precondition: run.size() is a multiple of page_bytes and not 0.
/// Thread safe.
Layout layout_of(std::span<const std::byte> run, PageId page, std::uint32_t page_bytes);

/// What is wrong with a page's content, behind a header that is good. Precondition: as layout_of().
/// Thread safe.
std::optional<page::Damage> wrong_content(std::span<const std::byte> run, page::Type type,
                                          std::uint32_t page_bytes);

}  // namespace pagealloc::slotted
