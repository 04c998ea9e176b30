// `pagealloc free`: pages of a structured file that are not needed any more.
#include <fmt/format.h>

#include "pagealloc/cli/structured.h"

namespace pagealloc::cli {

namespace {

struct Args {
  FileArgs file;
  std::uint64_t page = 0;
};

Result<void> free(const Args& args) {
  auto opened = open_structured(args.file, false);
  if (!opened) return std::unexpected(opened.error());
  page::Allocator& allocator = opened->allocator;
  const bool used =
      args.page < allocator.pages() && allocator.state(args.page) == page::State::used;
  const std::uint32_t run = used ? allocator.run_of(args.page) : 1;
  if (auto freed = allocator.free(args.page); !freed) return freed;
  if (auto done = allocator.commit(); !done) return done;
  return print(fmt::format(
      "{}: freed {}, commit {}; compact gives free pages back to the file system\n", args.file.path,
      run == 1 ? fmt::format("page {}", args.page)
               : fmt::format("pages {} to {}", args.page, args.page + run - 1),
      allocator.superblock().commit));
}

void add_options(CLI::App& command, Args& args) {
  add_structured(command, args.file);
  add_required_number(command, "PAGE", args.page, "the first page of a run");
  add_impl(command, args.file);
}

}  // namespace

void add_free(CLI::App& app, Exit& exit) {
  add_command<Args>(app, exit, "free",
                    "Free a run of pages of a structured file, whatever refers to it",
                    "Example:\n"
                    "  pagealloc free s.pa 7",
                    add_options, free);
}

}  // namespace pagealloc::cli
