// `pagealloc compact`: what is free goes back to the file system.
#include <fmt/format.h>

#include "pagealloc/cli/structured.h"

namespace pagealloc::cli {

namespace {

struct Args {
  FileArgs file;
};

Result<struct statx> measure(const Structured& opened, const Descriptor& descriptor) {
  if (auto synced = sync(*opened.file); !synced) return std::unexpected(synced.error());
  return descriptor.status(STATX_SIZE | STATX_BLOCKS);
}

Result<void> compact(const Args& args) {
  auto opened = open_structured(args.file, false);
  if (!opened) return std::unexpected(opened.error());
  const auto descriptor = Descriptor::open(args.file.path, O_RDONLY | O_NONBLOCK);
  if (!descriptor) return std::unexpected(descriptor.error());
  const auto before = measure(*opened, *descriptor);
  if (!before) return std::unexpected(before.error());
  if (auto done = opened->allocator.compact(); !done) return done;
  const auto after = measure(*opened, *descriptor);
  if (!after) return std::unexpected(after.error());
  const page::Census census = opened->allocator.census();
  return print(fmt::format(
      "{}: compacted, commit {}\n"
      "  pages    {}, {} in use, {} punched\n"
      "  size     {} bytes before, {} bytes after\n"
      "  on disk  {} blocks before, {} blocks after (of 512 bytes)\n",
      args.file.path, opened->allocator.superblock().commit, census.pages, census.used,
      census.punched, before->stx_size, after->stx_size, before->stx_blocks, after->stx_blocks));
}

void add_options(CLI::App& command, Args& args) {
  add_structured(command, args.file);
  add_impl(command, args.file);
}

}  // namespace

void add_compact(CLI::App& app, Exit& exit) {
  add_command<Args>(app, exit, "compact",
                    "Give the free pages of a structured file back to the file system",
                    "Cuts off what is free at the end and punches what is free elsewhere. Records\n"
                    "do not move.\n"
                    "Example:\n"
                    "  pagealloc compact s.pa",
                    add_options, compact);
}

}  // namespace pagealloc::cli
