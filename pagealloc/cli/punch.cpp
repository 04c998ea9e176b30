// `pagealloc punch`: gives the space of pages back, and shows that it did.
#include <fmt/format.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

#include <algorithm>
#include <functional>

#include "pagealloc/cli/structured.h"

namespace pagealloc::cli {

namespace {

struct Args {
  FileArgs file;
  std::uint64_t page = 0;
  std::uint64_t count = 1;
};

struct Sizes {
  std::uint64_t bytes = 0;
  std::uint64_t blocks = 0;  ///< of 512 bytes, whatever the file system's own are (statx(2))
};

/// Synced first: blocks of data that is only in the page cache are not allocated yet everywhere,
/// and would not be counted.
Result<Sizes> measure(PageFile& file, const Descriptor& descriptor) {
  if (auto synced = sync(file); !synced) return std::unexpected(synced.error());
  const auto now = descriptor.status(STATX_SIZE | STATX_BLOCKS);
  if (!now) return std::unexpected(now.error());
  return Sizes{.bytes = now->stx_size, .blocks = now->stx_blocks};
}

Result<void> check_range(const Args& args, const PageFile& file) {
  if (args.count == 0) {
    return std::unexpected(
        error_at(args.file.path, Errc::bad_argument, "a count of 0 pages punches nothing"));
  }
  const std::uint64_t pages = file.pages();
  if (args.page < pages && args.count <= pages - args.page) return {};
  const auto offset_bytes = args.page <= UINT64_MAX / args.file.page_bytes
                                ? std::optional(args.page * args.file.page_bytes)
                                : std::nullopt;
  const std::string cause = args.count == 1
                                ? fmt::format("beyond the end, the file has {} pages", pages)
                                : fmt::format(
                                      "a run of {} pages is beyond the end, the file has "
                                      "{} pages",
                                      args.count, pages);
  return std::unexpected(
      error_at(args.file.path, Errc::beyond_end, cause, 0, args.page, offset_bytes));
}

/// One operation moves at most 1 GiB, so a long range takes several.
Result<void> punch_all(PageFile& file, const Args& args) {
  const std::uint64_t run_max = (1ULL << 30) / args.file.page_bytes;
  std::uint64_t done = 0;
  while (done < args.count) {
    const auto run = static_cast<std::uint32_t>(std::min(run_max, args.count - done));
    if (auto punched = pagealloc::punch(file, args.page + done, run); !punched) return punched;
    done += run;
  }
  return {};
}

/// Asks the file system; where it does not tell (tmpfs) a file that is whole has no hole.
bool is_hole(const Args& args, const Descriptor& descriptor, const Sizes& now) {
  struct fiemap extents{};  // no room for extents: only their number is asked for
  extents.fm_start = args.page * args.file.page_bytes;
  extents.fm_length = args.count * args.file.page_bytes;
  const int result = kernel().ioctl(descriptor.fd(), FS_IOC_FIEMAP, &extents);
  return result == 0 ? extents.fm_mapped_extents == 0 : now.blocks * 512 < now.bytes;
}

std::string why_nothing_was_freed(const Args& args, bool was_hole, std::uint64_t block) {
  if (block > args.file.page_bytes) {
    const std::uint64_t begin = args.page * args.file.page_bytes;
    const std::uint64_t end = begin + args.count * args.file.page_bytes;
    if ((begin + block - 1) / block >= end / block) {
      return fmt::format(
          "pages of {} bytes are smaller than this file system's blocks of {} bytes, and the "
          "range covers no whole block; it was filled with zeros instead",
          args.file.page_bytes, block);
    }
  }
  if (was_hole) return "the range was a hole already";
  return "this file system keeps the space, or needed as much to note down the hole";
}

std::string report(const Args& args, const Sizes& before, const Sizes& after,
                   const std::string& why_not) {
  std::string out = fmt::format("{}: punched ", args.file.path);
  out += args.count == 1 ? fmt::format("page {}", args.page)
                         : fmt::format("pages {} to {}", args.page, args.page + args.count - 1);
  out += fmt::format(", {} bytes that read as zeros now\n", args.count * args.file.page_bytes);
  out += fmt::format("  size     {} bytes before, {} bytes after\n", before.bytes, after.bytes);
  out += fmt::format("  on disk  {} blocks before, {} blocks after (of 512 bytes)\n", before.blocks,
                     after.blocks);
  if (after.blocks < before.blocks) {
    out += fmt::format("  freed    {} bytes\n", (before.blocks - after.blocks) * 512);
  } else {
    out += fmt::format("  No block was freed: {}.\n", why_not);
  }
  return out;
}

/// Punches, measures before and after, and tells.
Result<void> punch_and_tell(const Args& args, PageFile& file,
                            const std::function<Result<void>()>& carry_out) {
  if (auto good = check_range(args, file); !good) return good;
  const auto descriptor = Descriptor::open(args.file.path, O_RDONLY | O_NONBLOCK);
  if (!descriptor) return std::unexpected(descriptor.error());
  const auto before = measure(file, *descriptor);
  if (!before) return std::unexpected(before.error());
  const bool was_hole = is_hole(args, *descriptor, *before);
  if (auto punched = carry_out(); !punched) return punched;
  const auto after = measure(file, *descriptor);
  if (!after) return std::unexpected(after.error());
  return print(report(args, *before, *after,
                      why_nothing_was_freed(args, was_hole, descriptor->block_bytes())));
}

/// Of a structured file free pages only, and its map says so afterwards.
Result<void> punch_structured(Args args, std::uint32_t page_bytes) {
  args.file.page_bytes = page_bytes;
  auto opened = open_structured(args.file, false);
  if (!opened) return std::unexpected(opened.error());
  return punch_and_tell(args, *opened->file,
                        [&] { return opened->allocator.punch(args.page, args.count); });
}

Result<void> punch(const Args& args) {
  const auto options = options_of(args.file);
  if (!options) return std::unexpected(options.error());
  if (const auto page_bytes = find_page_bytes(args.file)) {
    return punch_structured(args, *page_bytes);
  }
  auto file = pagealloc::open(args.file.path, *options);
  if (!file) return std::unexpected(file.error());
  return punch_and_tell(args, **file, [&] { return punch_all(**file, args); });
}

void add_options(CLI::App& command, Args& args) {
  add_file(command, args.file);
  add_required_number(command, "PAGE", args.page, "first page, from 0");
  add_number(command, "COUNT", args.count, "how many pages (default 1)");
  add_impl(command, args.file);
}

}  // namespace

void add_punch(CLI::App& app, Exit& exit) {
  add_command<Args>(app, exit, "punch",
                    "Give the space of pages back to the file system; they read as zeros",
                    "Of a structured file (pagealloc format) free pages only.\n"
                    "Examples:\n"
                    "  pagealloc punch x.pa 5\n"
                    "  pagealloc punch x.pa 16 32 --impl uring",
                    add_options, punch);
}

}  // namespace pagealloc::cli
