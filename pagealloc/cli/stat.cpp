// `pagealloc stat`: what the file is, and what each implementation would offer for it here.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "pagealloc/cli/common.h"

namespace pagealloc::cli {

namespace {

struct Args {
  FileArgs file;
  bool json = false;
};

struct Offer {
  std::string impl;
  std::optional<Geometry> geometry;  ///< unset: not available here
  std::string reason;                ///< why not
};

struct Report {
  std::uint64_t pages = 0;
  std::uint64_t blocks = 0;       ///< of 512 bytes, whatever the file system's own are (statx(2))
  std::uint32_t block_bytes = 0;  ///< the file system's own; 0: it does not tell
  bool fixed_size = false;
  std::vector<Offer> offers;
};

Offer offer_of(const std::string& path, Options options, std::string_view impl) {
  options.impl = impl;
  auto file = pagealloc::open(path, options);
  if (file) return {.impl = options.impl, .geometry = (*file)->geometry(), .reason = {}};
  constexpr std::string_view prefix = "not available here: ";
  Error error = file.error();
  error.path.clear();
  if (error.cause.starts_with(prefix)) error.cause.erase(0, prefix.size());
  return {.impl = options.impl, .geometry = {}, .reason = error.text()};
}

Result<Report> look(const Args& args) {
  auto options = options_of(args.file);
  if (!options) return std::unexpected(options.error());
  options->read_only = true;
  options->sync_at_open = false;  // nothing that is stored in the file is shown
  const auto file = pagealloc::open(args.file.path, *options);
  if (!file) return std::unexpected(file.error());
  const auto descriptor = Descriptor::open(args.file.path, O_RDONLY | O_NONBLOCK);
  if (!descriptor) return std::unexpected(descriptor.error());
  const auto status = descriptor->status(STATX_BLOCKS);
  if (!status) return std::unexpected(status.error());

  Report report{.pages = (*file)->pages(),
                .blocks = status->stx_blocks,
                .block_bytes = descriptor->block_bytes(),
                .fixed_size = (*file)->geometry().fixed_size,
                .offers = {}};
  for (const std::string_view impl : implementations()) {
    report.offers.push_back(offer_of(args.file.path, *options, impl));
  }
  return report;
}

std::string text_of(const Args& args, const Report& report) {
  const std::uint64_t page_bytes = args.file.page_bytes;
  std::string out = fmt::format("{}\n", args.file.path);
  out += fmt::format("  size          {} bytes, {} pages of {} bytes\n", report.pages * page_bytes,
                     report.pages, page_bytes);
  if (report.fixed_size) {
    out += "  on disk       a block device, of fixed size\n";
  } else {
    out += fmt::format("  on disk       {} bytes, {} blocks of 512 bytes\n", report.blocks * 512,
                       report.blocks);
  }
  if (report.block_bytes != 0 && !report.fixed_size) {
    out += fmt::format("  file system   allocates in blocks of {} bytes\n", report.block_bytes);
  }
  out += "\nWhat each implementation offers for this file:\n";
  for (const Offer& offer : report.offers) {
    if (!offer.geometry) {
      out += fmt::format("  {:<8}not available here: {}\n", offer.impl, offer.reason);
      continue;
    }
    const Geometry& geometry = *offer.geometry;
    const std::string align = geometry.align_bytes == 1
                                  ? "any alignment"
                                  : fmt::format("aligned to {} bytes", geometry.align_bytes);
    out += fmt::format("  {:<8}{}, {}, depth {}, {} frames\n", offer.impl,
                       geometry.base != nullptr ? "page cache, mapped"
                       : geometry.direct        ? "O_DIRECT"
                                                : "page cache, copied",
                       align, geometry.depth_max, geometry.frames);
  }
  return out;
}

std::string json_of(const Args& args, const Report& report) {
  auto offers = nlohmann::ordered_json::array();
  for (const Offer& offer : report.offers) {
    nlohmann::ordered_json entry = {{"name", offer.impl},
                                    {"available", offer.geometry.has_value()}};
    if (offer.geometry) {
      entry["align_bytes"] = offer.geometry->align_bytes;
      entry["atomic_bytes"] = offer.geometry->atomic_bytes;
      entry["depth_max"] = offer.geometry->depth_max;
      entry["frames"] = offer.geometry->frames;
      entry["direct"] = offer.geometry->direct;
      entry["mapped"] = offer.geometry->base != nullptr;
    } else {
      entry["reason"] = offer.reason;
    }
    offers.push_back(std::move(entry));
  }
  const nlohmann::ordered_json whole = {{"file", args.file.path},
                                        {"size_bytes", report.pages * args.file.page_bytes},
                                        {"pages", report.pages},
                                        {"page_bytes", args.file.page_bytes},
                                        {"fixed_size", report.fixed_size},
                                        {"blocks", report.blocks},
                                        {"disk_bytes", report.blocks * 512},
                                        {"file_system_block_bytes", report.block_bytes},
                                        {"implementations", std::move(offers)}};
  // A name need not be UTF-8, JSON must.
  return whole.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Result<void> stat(const Args& args) {
  const auto report = look(args);
  if (!report) return std::unexpected(report.error());
  return print(args.json ? json_of(args, *report) : text_of(args, *report));
}

void add_options(CLI::App& command, Args& args) {
  add_file(command, args.file);
  add_impl(command, args.file);
  add_flag(command, "--json", args.json, "for programs");
}

}  // namespace

void add_stat(CLI::App& app, Exit& exit) {
  add_command<Args>(app, exit, "stat",
                    "Show size, blocks on disk, and what each implementation offers here",
                    "Examples:\n"
                    "  pagealloc stat x.pa\n"
                    "  pagealloc stat x.pa --page-size 512 --json",
                    add_options, stat);
}

}  // namespace pagealloc::cli
