// `pagealloc inspect`: what a structured file is made of, and what each of its pages is.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "pagealloc/cli/inspect_html.h"
#include "pagealloc/cli/structured.h"
#include "pagealloc/slotted/drawing.h"

namespace pagealloc::cli {

namespace {

struct Args {
  FileArgs file;
  std::optional<std::uint64_t> page;
  std::string html;
  bool json = false;
};

std::string hexadecimal(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

/// A page that begins a run, or is one, and how the free map calls it.
struct Place {
  PageId page;
  std::uint32_t run;
  std::string state;  ///< empty: the free map could not be read
};

Place place_of(const page::Allocator& allocator, PageId page) {
  const page::State state = allocator.state(page);
  if (state == page::State::free || state == page::State::punched) {
    return {page, 1, std::string(name_of(state))};
  }
  while (allocator.state(page) == page::State::inside) --page;
  return {page, allocator.run_of(page), "in use"};
}

/// What the page says itself, where nothing else is to be had: a damaged map must not hide pages.
Place place_by_header(PageFile& file, PageId page) {
  Place place{page, 1, ""};
  const auto lent = read_page(file, page);
  if (!lent) return place;
  place.run = std::max(page::claimed_run(file, page, lent->bytes()), 1U);
  return place;
}

std::string text_of(const Args& args, const Place& place, const slotted::Layout& layout,
                    std::span<const std::byte> run) {
  const std::uint64_t page_bytes = run.size() / place.run;
  std::string text =
      fmt::format("{}: page {}{}, {}{}, {} bytes at offset {}\n", args.file.path, place.page,
                  place.run > 1 ? fmt::format(" to {}", place.page + place.run - 1) : "",
                  place.state.empty() ? "" : place.state + ", ", name_of(layout.header.type),
                  run.size(), place.page * page_bytes);
  const auto add = [&](const char* title, const std::vector<std::string>& lines) {
    if (lines.empty()) return;
    text += fmt::format("\n{}\n", title);
    for (const std::string& line : lines) text += line + "\n";
  };
  if (layout.damage) {
    text += fmt::format("  DAMAGED at byte {}: {}\n", layout.damage->offset_bytes,
                        layout.damage->cause);
  }
  add("  offset, bytes, field, value", list_fields(layout));
  add("    slot, its record", list_slots(layout, run));
  add("  to scale", draw(layout));
  add("  bytes, and what begins in them", dump(layout, run));
  return text;
}

std::string json_of(const Place& place, const slotted::Layout& layout,
                    std::span<const std::byte> run) {
  nlohmann::ordered_json json = {
      {"page", place.page},
      {"run", place.run},
      {"state", place.state},
      {"condition", layout.damage ? "damaged" : std::string(name_of(layout.header.type))},
      {"transaction", layout.header.transaction},
      {"checksum", fmt::format("{:08x}", page::checksum_of(run))},
      {"damage", layout.damage ? layout.damage->cause : ""}};
  json["fields"] = nlohmann::ordered_json::object();
  for (const slotted::Field& field : layout.fields) {
    if (field.name != "zero") json["fields"][std::string(field.name)] = field.value;
  }
  json["areas"] = nlohmann::ordered_json::array();
  for (const slotted::Area& area : layout.areas) {
    nlohmann::ordered_json each = {{"kind", std::string(name_of(area.kind))},
                                   {"offset", area.offset_bytes},
                                   {"bytes", area.bytes}};
    if (area.slot) each["slot"] = *area.slot;
    json["areas"].push_back(std::move(each));
  }
  return json.dump(1) + "\n";
}

Result<void> inspect_page(const Args& args, PageId page) {
  auto pages = open_pages(args.file, true);
  if (!pages) return std::unexpected(pages.error());
  PageFile* const file = pages->file.get();
  if (page >= file->pages()) {
    return std::unexpected(
        error_of(*file, Op{.verb = Verb::read, .result = Errc::beyond_end, .page = page}));
  }
  const auto allocator = page::Allocator::open(*file);
  const bool known = allocator && page < allocator->pages();
  const Place place = known ? place_of(*allocator, page) : place_by_header(*file, page);
  const auto run = page::read_raw(*file, place.page, place.run);
  if (!run) return std::unexpected(run.error());
  slotted::Layout layout =
      slotted::layout_of(run->bytes(), place.page, file->geometry().page_bytes);
  const bool free = place.state == "free" || place.state == "punched";
  if (free) layout.damage = {};  // whatever is left there
  auto printed = print(args.json ? json_of(place, layout, run->bytes())
                                 : text_of(args, place, layout, run->bytes()));
  if (!printed || !layout.damage) return printed;
  return std::unexpected(page::error_of(*file, place.page, *layout.damage));
}

Result<void> inspect_file(const Args& args) {
  const auto opened = open_structured(args.file, true);
  if (!opened) return std::unexpected(opened.error());
  const page::Superblock& superblock = opened->allocator.superblock();
  const page::Census census = opened->allocator.census();
  std::string text = fmt::format(
      "{}: {} of {} bytes\n"
      "  identity    {}\n"
      "  commit      {}\n"
      "  in use      {}, {} of them the free map's, from page {}, {}\n"
      "  free        {}, {} of them punched\n",
      args.file.path, plural(census.pages, "page"), superblock.page_bytes,
      hexadecimal(superblock.identity), superblock.commit, census.used, census.map,
      superblock.map_root, plural(superblock.map_levels, "level"), census.pages - census.used,
      census.punched);
  for (std::size_t i = 0; i < superblock.roots.size(); ++i) {
    if (superblock.roots[i] != 0)
      text += fmt::format("  root {}      {}\n", i, superblock.roots[i]);
  }
  if (auto printed = print(text); !printed) return printed;
  const auto& damaged = opened->allocator.damaged();
  if (damaged.empty()) return {};
  return std::unexpected(damaged.front());
}

Result<void> inspect(const Args& args) {
  if (!args.html.empty()) return write_html(args.file, args.html);
  if (args.page) return inspect_page(args, *args.page);
  return inspect_file(args);
}

void add_options(CLI::App& command, Args& args) {
  add_structured(command, args.file);
  CLI::Option* const page = add_number(command, "PAGE", args.page, "show this page");
  CLI::Option* const html =
      command.add_option("--html", args.html, "write a page for a browser, with all pages in it")
          ->type_name("OUT")
          ->excludes(page);
  add_flag(command, "--json", args.json, "print JSON")->needs(page)->excludes(html);
  add_impl(command, args.file);
}

}  // namespace

void add_inspect(CLI::App& app, Exit& exit) {
  add_command<Args>(app, exit, "inspect",
                    "Show what a structured file is made of, or one of its pages byte by byte",
                    "Exit code 7 when what is shown is damaged.\n"
                    "Examples:\n"
                    "  pagealloc inspect s.pa\n"
                    "  pagealloc inspect s.pa 7\n"
                    "  pagealloc inspect s.pa --html s.html      all pages, in a browser",
                    add_options, inspect);
}

}  // namespace pagealloc::cli
