#include "pagealloc/cli/structured.h"

#include <fmt/format.h>

#include "pagealloc/page/checked.h"
#include "pagealloc/page/superblock.h"

namespace pagealloc::cli {

void add_structured(CLI::App& command, FileArgs& args) {
  add_path(command, args.path, "a file of structured pages (pagealloc format)");
}

Result<std::uint32_t> find_page_bytes(const FileArgs& args) {
  FileArgs smallest = args;
  smallest.impl = "pread";
  smallest.page_bytes = page_bytes_min;
  auto options = options_of(smallest);
  if (!options) return std::unexpected(options.error());
  options->read_only = true;
  auto file = pagealloc::open(args.path, *options);
  if (!file) return std::unexpected(file.error());
  const auto said_at = [&](std::uint64_t offset_bytes) -> std::optional<std::uint32_t> {
    const PageId page = offset_bytes / page_bytes_min;
    if (page >= (*file)->pages()) return {};
    const auto lent = read_page(**file, page);
    return lent ? page::page_bytes_of(lent->bytes()) : std::nullopt;
  };
  if (const auto found = said_at(0)) return *found;
  for (std::uint32_t page_bytes = page_bytes_min; page_bytes <= page_bytes_max; page_bytes *= 2) {
    for (std::uint64_t copy = 1; copy < page::superblocks; ++copy) {
      if (said_at(copy * page_bytes) == page_bytes) return page_bytes;
    }
  }
  return std::unexpected(error_at(
      args.path, Errc::not_page_file,
      "no superblock in it: this is no file of structured pages (pagealloc format makes one)"));
}

Result<std::unique_ptr<PageFile>> open_pages(FileArgs args, bool read_only) {
  const auto page_bytes = find_page_bytes(args);
  if (!page_bytes) return std::unexpected(page_bytes.error());
  args.page_bytes = *page_bytes;
  auto options = options_of(args);
  if (!options) return std::unexpected(options.error());
  options->read_only = read_only;
  return pagealloc::open(args.path, *options);
}

Result<Structured> open_structured(FileArgs args, bool read_only) {
  auto file = open_pages(std::move(args), read_only);
  if (!file) return std::unexpected(file.error());
  auto allocator = page::Allocator::open(**file);
  if (!allocator) return std::unexpected(allocator.error());
  return Structured{std::move(*file), std::move(*allocator)};
}

std::string plural(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace pagealloc::cli
