#include "pagealloc/slotted/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "pagealloc/page/superblock.h"
#include "pagealloc/slotted/node.h"
#include "pagealloc/slotted/overflow.h"
#include "pagealloc/slotted/page.h"

namespace pagealloc::slotted {

namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint32_t map_begins = 48;
constexpr std::uint32_t content_begins = 40;

std::uint64_t number(Bytes bytes, std::uint32_t at, std::uint32_t count) {
  std::uint64_t value = 0;
  for (std::uint32_t i = count; i-- > 0;) {
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[at + i]);
  }
  return value;
}

/// Gathers areas from all sides, and puts them in order at the end.
class Areas {
 public:
  explicit Areas(std::uint64_t bytes) : bytes_(bytes) {}

  void add(std::uint64_t offset, std::uint64_t bytes, Kind kind,
           std::optional<std::uint32_t> slot = {}) {
    if (offset >= bytes_) return;
    bytes = std::min(bytes, bytes_ - offset);
    if (bytes > 0) areas_.push_back({offset, bytes, kind, slot});
  }
  /// In order, none twice; what nobody has named is a fragment from heap_begin on, a gap before.
  std::vector<Area> take(std::uint64_t heap_begin, Kind between) {
    std::ranges::sort(areas_, {}, [](const Area& area) {
      return std::tuple(area.offset_bytes, area.kind, area.slot, area.bytes);
    });
    std::vector<Area> all;
    std::uint64_t at = 0;
    for (Area area : areas_) {
      if (area.offset_bytes + area.bytes <= at) continue;  // under one that came before
      if (area.offset_bytes < at) {
        area.bytes -= at - area.offset_bytes;
        area.offset_bytes = at;
      }
      fill(all, at, area.offset_bytes, heap_begin, between);
      at = area.offset_bytes + area.bytes;
      all.push_back(area);
    }
    fill(all, at, bytes_, heap_begin, between);
    return all;
  }

 private:
  static void fill(std::vector<Area>& all, std::uint64_t at, std::uint64_t end,
                   std::uint64_t heap_begin, Kind between) {
    const std::uint64_t middle = std::clamp(heap_begin, at, end);
    if (middle > at) all.push_back({at, middle - at, between, {}});
    if (end > middle) all.push_back({middle, end - middle, Kind::fragment, {}});
  }
  std::uint64_t bytes_;
  std::vector<Area> areas_;
};

struct Name {
  std::uint32_t offset_bytes;
  std::uint32_t bytes;
  std::string_view name;
};

constexpr Name header_names[] = {{0, 4, "checksum"}, {4, 1, "type"},         {5, 3, "zero"},
                                 {8, 8, "page"},     {16, 8, "transaction"}, {24, 4, "run"},
                                 {28, 4, "zero"}};
constexpr Name slotted_names[] = {
    {32, 2, "slots"}, {34, 2, "heap bytes"}, {36, 2, "fragment bytes"}, {38, 2, "records"}};
constexpr Name node_names[] = {
    {32, 2, "slots"}, {34, 2, "heap bytes"}, {36, 2, "fragment bytes"}, {38, 2, "prefix bytes"}};
constexpr Name map_names[] = {{32, 8, "first page"}, {40, 4, "level"}, {44, 4, "zero"}};
constexpr Name overflow_names[] = {{32, 8, "record bytes"}};
constexpr Name superblock_names[] = {
    {32, 8, "magic"},       {40, 4, "byte order"},  {44, 4, "version"},  {48, 4, "page bytes"},
    {52, 4, "zero"},        {56, 8, "features"},    {64, 8, "identity"}, {72, 8, "identity"},
    {80, 8, "commit"},      {88, 8, "pages"},       {96, 8, "map root"}, {104, 4, "map checksum"},
    {108, 4, "map levels"}, {112, 8, "used pages"}, {120, 8, "root 0"},  {128, 8, "root 1"},
    {136, 8, "root 2"},     {144, 8, "root 3"},     {152, 8, "root 4"},  {160, 8, "root 5"},
    {168, 8, "root 6"},     {176, 8, "root 7"}};

std::span<const Name> names_of(page::Type type) {
  switch (type) {
    case page::Type::superblock:
      return superblock_names;
    case page::Type::map:
      return map_names;
    case page::Type::slotted:
      return slotted_names;
    case page::Type::node:
      return node_names;
    case page::Type::overflow:
      return overflow_names;
    case page::Type::blank:
      break;
  }
  return {};
}

/// What is no count is read more easily in hexadecimal.
bool is_hexadecimal(std::string_view name) {
  return name.ends_with("checksum") || name == "magic" || name == "byte order" ||
         name == "identity" || name == "features";
}

void add_fields(Layout& layout, Bytes bytes, std::span<const Name> names) {
  for (const Name& name : names) {
    const std::uint64_t value = number(bytes, name.offset_bytes, name.bytes);
    std::string text = is_hexadecimal(name.name) ? fmt::format("{:0{}x}", value, name.bytes * 2)
                                                 : fmt::format("{}", value);
    if (name.name == "type") text += fmt::format(" {}", name_of(static_cast<page::Type>(value)));
    layout.fields.push_back({name.offset_bytes, name.bytes, name.name, std::move(text)});
  }
}

void add_slotted(Areas& areas, Bytes bytes) {
  const Directory directory(bytes, PageView::slot_bytes);
  for (std::uint32_t slot = 0; slot < directory.slots(); ++slot) {
    const std::uint32_t offset = directory.offset_of(slot);
    const std::uint32_t length = directory.length_of(slot);
    areas.add(directory.at(slot), directory.slot_bytes(), offset == 0 ? Kind::erased : Kind::slot,
              slot);
    if (offset < slots_begin) continue;
    areas.add(offset, stored_bytes(length),
              length == reference_length ? Kind::reference : Kind::record, slot);
  }
}

void add_node(Areas& areas, Bytes bytes) {
  const NodeView node = NodeView::trust(bytes);
  const Directory& directory = node.directory();
  for (std::uint32_t slot = 0; slot < directory.slots(); ++slot) {
    areas.add(directory.at(slot), directory.slot_bytes(), Kind::slot, slot);
    const Record value = node.value(slot);
    const std::uint32_t offset = directory.offset_of(slot);
    if (offset < slots_begin) continue;
    areas.add(offset, 2 + directory.length_of(slot) + value.bytes.size(),
              value.is_reference ? Kind::reference : Kind::record, slot);
  }
  areas.add(bytes.size() - node.prefix().size(), node.prefix().size(), Kind::prefix);
}

std::vector<Area> areas_of(Bytes run, page::Type type) {
  Areas areas(run.size());
  areas.add(0, page::header_bytes, Kind::header);
  std::uint64_t heap_begin = run.size();
  Kind between = Kind::zeros;
  for (const Name& name : names_of(type)) areas.add(name.offset_bytes, name.bytes, Kind::fields);
  switch (type) {
    case page::Type::slotted:
      add_slotted(areas, run);
      heap_begin = Directory(run, PageView::slot_bytes).heap_begin();
      between = Kind::gap;
      break;
    case page::Type::node:
      add_node(areas, run);
      heap_begin = Directory(run, NodeView::slot_bytes).heap_begin();
      between = Kind::gap;
      break;
    case page::Type::map:
      areas.add(map_begins, run.size(), number(run, 40, 4) == 0 ? Kind::states : Kind::entries);
      break;
    case page::Type::overflow:
      areas.add(content_begins, number(run, 32, 8), Kind::content);
      break;
    case page::Type::superblock:
    case page::Type::blank:
      break;
  }
  return areas.take(heap_begin, between);
}

/// Neighbours of the same kind are one area: fields, above all.
std::vector<Area> joined(std::vector<Area> areas) {
  std::vector<Area> all;
  for (const Area& area : areas) {
    if (!all.empty() && all.back().kind == area.kind && !area.slot) {
      all.back().bytes += area.bytes;
    } else {
      all.push_back(area);
    }
  }
  return all;
}

}  // namespace

std::string_view name_of(Kind kind) {
  constexpr std::string_view names[kinds] = {
      "header",   "fields", "slot",   "erased slot", "gap",     "record", "reference",
      "fragment", "prefix", "states", "entries",     "content", "zeros"};
  return names[static_cast<std::size_t>(kind)];
}

std::optional<page::Damage> wrong_content(Bytes run, page::Type type, std::uint32_t page_bytes) {
  switch (type) {
    case page::Type::slotted: {
      const auto opened = PageView::open(run);
      return opened ? std::nullopt : std::optional(opened.error());
    }
    case page::Type::node: {
      const auto opened = NodeView::open(run);
      return opened ? std::nullopt : std::optional(opened.error());
    }
    case page::Type::overflow: {
      const std::uint64_t bytes = number(run, 32, 8);
      if (bytes > run.size() || overflow_pages(bytes, page_bytes) != run.size() / page_bytes) {
        return page::Damage{32, fmt::format("a record of {} bytes, in a run of {} pages", bytes,
                                            run.size() / page_bytes)};
      }
      if (page::is_blank(run.subspan(content_begins + bytes))) return {};
      return page::Damage{content_begins + bytes, "bytes behind the record that are not 0"};
    }
    case page::Type::superblock:
    case page::Type::map:
      return {};
    case page::Type::blank:
      break;
  }
  return page::Damage{4, fmt::format("type {}, which is none", static_cast<unsigned>(type))};
}

Layout layout_of(Bytes run, PageId page, std::uint32_t page_bytes) {
  Layout layout{.header = page::header_of(run)};
  const auto header = page::check(run, page, page_bytes);
  if (!header) {
    layout.damage = header.error();
  } else {
    layout.damage = wrong_content(run, header->type, page_bytes);
  }
  if (page::is_blank(run)) {
    layout.areas = {{0, run.size(), Kind::zeros, {}}};
    return layout;
  }
  add_fields(layout, run, header_names);
  add_fields(layout, run, names_of(layout.header.type));
  layout.areas = joined(areas_of(run, layout.header.type));
  return layout;
}

}  // namespace pagealloc::slotted
