// `pagealloc format`: a new file of structured pages.
#include <fmt/format.h>

#include <random>

#include "pagealloc/cli/structured.h"

namespace pagealloc::cli {

namespace {

struct Args {
  FileArgs file;
};

page::Identity random_identity() {
  std::random_device device;
  page::Identity identity;
  for (std::byte& byte : identity) byte = static_cast<std::byte>(device());
  return identity;
}

Result<void> format(const Args& args) {
  auto options = options_of(args.file);
  if (!options) return std::unexpected(options.error());
  const bool made = !exists(args.file.path);
  options->create = true;
  auto file = pagealloc::open(args.file.path, *options);
  if (!file) return std::unexpected(file.error());
  if ((*file)->pages() > 0) {
    return std::unexpected(
        error_at(args.file.path, Errc::cannot_open,
                 fmt::format("exists already and holds {} bytes; nothing was changed",
                             (*file)->pages() * args.file.page_bytes)));
  }
  const auto allocator = page::Allocator::format(**file, random_identity());
  if (!allocator) {
    if (made) (void)kernel().unlink(args.file.path.c_str());
    return std::unexpected(allocator.error());
  }
  return print(fmt::format("{}: formatted, {} of {} bytes, {} in use, durable\n", args.file.path,
                           plural(allocator->pages(), "page"), args.file.page_bytes,
                           allocator->census().used));
}

void add_options(CLI::App& command, Args& args) {
  add_file(command, args.file);
  add_impl(command, args.file);
}

}  // namespace

void add_format(CLI::App& app, Exit& exit) {
  add_command<Args>(app, exit, "format",
                    "Make a new file of structured pages: checksums, and a map of what is free",
                    "Examples:\n"
                    "  pagealloc format s.pa\n"
                    "  pagealloc format s.pa --page-size 16384",
                    add_options, format);
}

}  // namespace pagealloc::cli
