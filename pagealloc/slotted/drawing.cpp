#include "pagealloc/slotted/drawing.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "pagealloc/slotted/node.h"
#include "pagealloc/slotted/overflow.h"

namespace pagealloc::slotted {

namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t row_characters = 64;
constexpr std::string_view letters = "HNsx.ro-Pmec0";
static_assert(letters.size() == kinds);
constexpr char other_record = 'R';

/// What most of these bytes are. Every second record has another letter, so that one can be told
/// from the next.
char most_of(const std::vector<Area>& areas, std::uint64_t begin, std::uint64_t end) {
  const Area* most = &areas.front();
  std::uint64_t most_bytes = 0;
  for (const Area& area : areas) {
    const std::uint64_t from = std::max(begin, area.offset_bytes);
    const std::uint64_t to = std::min(end, area.offset_bytes + area.bytes);
    if (to <= from || to - from <= most_bytes) continue;
    most_bytes = to - from;
    most = &area;
  }
  if (most->kind == Kind::record && (most - areas.data()) % 2 == 1) return other_record;
  return letters[static_cast<std::size_t>(most->kind)];
}

std::string printable(Bytes bytes, std::size_t most) {
  std::string text;
  for (const std::byte byte : bytes.first(std::min(bytes.size(), most))) {
    const auto code = std::to_integer<unsigned char>(byte);
    text += code >= 0x20 && code < 0x7f ? static_cast<char>(code) : '.';
  }
  return bytes.size() > most ? text + "..." : text;
}

std::string value_text(const Record& record) {
  if (!record.is_reference) return printable(record.bytes, 24);
  const Reference reference = decode_reference(record.bytes);
  return fmt::format("{} bytes from page {}", reference.bytes, reference.page);
}

/// What a record says, in a line.
std::string content_of(const Layout& layout, Bytes run, const Area& area) {
  if (layout.header.type != page::Type::node) {
    return value_text({run.subspan(area.offset_bytes, area.bytes), area.kind == Kind::reference});
  }
  const NodeView node = NodeView::trust(run);
  const SplitKey key = node.key(*area.slot);
  return fmt::format("{}[{}] = {}", printable(key.prefix, 24), printable(key.suffix, 24),
                     value_text(node.value(*area.slot)));
}

/// "slot 3", "record of slot 3", "gap".
std::string label_of(const Area& area) {
  if (!area.slot) return std::string(name_of(area.kind));
  if (area.kind == Kind::slot || area.kind == Kind::erased) {
    return fmt::format("{} {}", name_of(area.kind), *area.slot);
  }
  return fmt::format("{} of slot {}", name_of(area.kind), *area.slot);
}

std::string what_begins_in(const Layout& layout, std::uint64_t begin, std::uint64_t end) {
  std::string names;
  const auto add = [&](std::string_view name) {
    if (name == "zero" || names.size() > 60) return;
    names += names.empty() ? "" : ", ";
    names += name;
  };
  for (const Field& field : layout.fields) {
    if (field.offset_bytes >= begin && field.offset_bytes < end) add(field.name);
  }
  for (const Area& area : layout.areas) {
    const bool named = area.kind == Kind::header || area.kind == Kind::fields;
    if (!named && area.offset_bytes >= begin && area.offset_bytes < end) add(label_of(area));
  }
  return names;
}

/// Lines beside each other. Of many only those that differ, and of those not all.
void add_beside(std::string& text, const std::vector<std::string>& left,
                const std::vector<std::string>& right, std::size_t width, char mark) {
  constexpr std::size_t many = 40;
  std::size_t shown = 0;
  std::size_t left_out = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    const bool same = left[i] == right[i];
    if (shown == many || (same && left.size() > many)) {
      ++left_out;
      continue;
    }
    ++shown;
    text += fmt::format("{:<{}} {} {}\n", left[i], width, same ? ' ' : mark, right[i]);
  }
  if (left_out > 0) text += fmt::format("     ... and {} lines more\n", left_out);
}

}  // namespace

std::vector<std::string> draw(const Layout& layout) {
  const std::uint64_t size = layout.areas.back().offset_bytes + layout.areas.back().bytes;
  const std::uint64_t each = std::max<std::uint64_t>(size / (row_characters * 8), 1);
  std::vector<std::string> lines;
  for (std::uint64_t at = 0; at < size;) {
    std::string line = fmt::format("{:>8} |", at);
    for (std::size_t i = 0; i < row_characters && at < size; ++i, at += each) {
      line += most_of(layout.areas, at, at + each);
    }
    lines.push_back(line + "|");
  }
  std::string legend;
  for (std::size_t kind = 0; kind < kinds; ++kind) {
    const bool there =
        std::ranges::find(layout.areas, static_cast<Kind>(kind), &Area::kind) != layout.areas.end();
    if (!there) continue;
    legend += fmt::format("{}{} {}", legend.empty() ? "" : ", ",
                          kind == static_cast<std::size_t>(Kind::record)
                              ? fmt::format("{} and {}", letters[kind], other_record)
                              : std::string(1, letters[kind]),
                          name_of(static_cast<Kind>(kind)));
  }
  lines.push_back(
      fmt::format("{:>8}  {}; a character is {} byte{}", "", legend, each, each == 1 ? "" : "s"));
  return lines;
}

std::vector<std::string> list_fields(const Layout& layout) {
  std::vector<std::string> lines;
  for (const Field& field : layout.fields) {
    lines.push_back(fmt::format("{:>8} {:>3}  {:<15} {}", field.offset_bytes, field.bytes,
                                field.name, field.value));
  }
  return lines;
}

std::vector<std::string> list_slots(const Layout& layout, Bytes run) {
  std::map<std::uint32_t, const Area*> records;
  for (const Area& area : layout.areas) {
    if (area.kind == Kind::record || area.kind == Kind::reference) records[*area.slot] = &area;
  }
  std::vector<std::string> lines;
  for (const Area& area : layout.areas) {
    if (area.kind == Kind::erased) lines.push_back(fmt::format("{:>8}  erased", *area.slot));
    if (area.kind != Kind::slot) continue;
    const auto record = records.find(*area.slot);
    if (record == records.end()) {
      lines.push_back(fmt::format("{:>8}  no bytes", *area.slot));
      continue;
    }
    const Area& where = *record->second;
    lines.push_back(fmt::format("{:>8}  {:>6} bytes at {:>6}  {}", *area.slot, where.bytes,
                                where.offset_bytes, content_of(layout, run, where)));
  }
  return lines;
}

std::vector<std::string> dump(const Layout& layout, Bytes run) {
  constexpr std::size_t line_bytes = 16;
  std::vector<std::string> lines;
  bool zeros_told = false;
  for (std::size_t at = 0; at < run.size(); at += line_bytes) {
    const Bytes bytes = run.subspan(at, std::min(line_bytes, run.size() - at));
    const std::string names = what_begins_in(layout, at, at + line_bytes);
    const bool zeros = names.empty() && page::is_blank(bytes);
    if (zeros && zeros_told) {
      if (lines.back() != "       *") lines.emplace_back("       *");
      continue;
    }
    zeros_told = zeros;
    std::string line = fmt::format("{:>8} ", at);
    for (const std::byte byte : bytes) line += fmt::format(" {:02x}", byte);
    lines.push_back(fmt::format("{}  |{:<16}|  {}", line, printable(bytes, line_bytes), names));
    while (lines.back().ends_with(' ')) lines.back().pop_back();
  }
  return lines;
}

std::string side_by_side(Bytes expected, Bytes found, PageId page) {
  const auto parts_of = [page](Bytes bytes, const char* title) {
    const Layout layout = layout_of(bytes, page, static_cast<std::uint32_t>(bytes.size()));
    return std::vector<std::vector<std::string>>{
        {title}, list_fields(layout), list_slots(layout, bytes), draw(layout)};
  };
  auto left = parts_of(expected, "expected");
  auto right = parts_of(found, "found");
  std::size_t width = 0;
  for (const auto& part : left) {
    for (const std::string& line : part) width = std::max(width, line.size());
  }
  std::string text;
  for (std::size_t i = 0; i < left.size(); ++i) {
    // Each part by itself, so that a slot too many does not move all that comes after it.
    left[i].resize(std::max(left[i].size(), right[i].size()));
    right[i].resize(left[i].size());
    add_beside(text, left[i], right[i], width, i == 0 ? ' ' : '|');
  }
  return text;
}

}  // namespace pagealloc::slotted
