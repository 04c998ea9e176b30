// `pagealloc create`: a new page file, durable when the command returns.
#include <fmt/format.h>
#include <sys/stat.h>

#include "pagealloc/cli/common.h"

namespace pagealloc::cli {

namespace {

struct Args {
  FileArgs file;
  std::uint64_t pages = 0;
};

Error holds(const Args& args, std::uint64_t bytes) {
  return error_at(args.file.path, Errc::cannot_open,
                  fmt::format("exists already and holds {} bytes; nothing was changed", bytes));
}

Result<void> create(const Args& args) {
  const auto options = options_of(args.file);
  if (!options) return std::unexpected(options.error());
  if (args.pages > 0) {
    if (auto good = check_page_number(args.file, args.pages - 1); !good) return good;
  }
  // Looked at before open(), which would only say that the size is no multiple of the page size.
  // An empty file is taken: there is nothing to lose in it.
  struct statx before{};
  const int found =
      kernel().statx(AT_FDCWD, args.file.path.c_str(), 0, STATX_TYPE | STATX_SIZE, &before);
  if (found == 0 && S_ISREG(before.stx_mode) && before.stx_size > 0) {
    return std::unexpected(holds(args, before.stx_size));
  }
  // Opened at length 0 first: whoever filled the file since then must not see it grow.
  const bool made = !exists(args.file.path);
  auto file = pagealloc::open(args.file.path, for_length(*options, args.pages));
  if (!file) return std::unexpected(file.error());
  if ((*file)->pages() > 0) {
    return std::unexpected(holds(args, (*file)->pages() * args.file.page_bytes));
  }
  if (auto grown = grow(args.file.path, **file, args.pages, made); !grown) return grown;
  if (auto durable = sync(**file); !durable) return durable;
  return print(fmt::format("{}: created, {} pages of {} bytes, durable\n", args.file.path,
                           args.pages, args.file.page_bytes));
}

void add_options(CLI::App& command, Args& args) {
  add_file(command, args.file);
  add_number(command, "--pages", args.pages, "length in pages, really allocated (default 0)");
  add_impl(command, args.file);
}

}  // namespace

void add_create(CLI::App& app, Exit& exit) {
  add_command<Args>(app, exit, "create", "Make a new page file; refuse one that holds anything",
                    "Examples:\n"
                    "  pagealloc create x.pa\n"
                    "  pagealloc create x.pa --pages 256 --page-size 8192",
                    add_options, create);
}

}  // namespace pagealloc::cli
