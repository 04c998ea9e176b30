// `pagealloc write`: one page, durable when the command returns.
#include <fmt/format.h>

#include "pagealloc/cli/common.h"

namespace pagealloc::cli {

namespace {

struct Args {
  FileArgs file;
  std::uint64_t page = 0;
  std::string text;
  bool no_sync = false;
};

// What can be refused is refused before the file is created or grown; what the disk refuses, a
// length or its space, leaves no new file behind.
Result<void> write(const Args& args) {
  auto options = options_of(args.file);
  if (!options) return std::unexpected(options.error());
  if (auto good = check_page_number(args.file, args.page); !good) return good;
  const auto content = content_of(args.file, args.page, args.text, args.file.page_bytes, "a page");
  if (!content) return std::unexpected(content.error());

  options->sync_at_open = !args.no_sync;
  auto file = open_grown(args.file, *options, args.page + 1);
  if (!file) return std::unexpected(file.error());
  const auto bytes = std::as_bytes(std::span(*content));
  if (auto written = write_page(**file, args.page, bytes); !written) return written;
  if (!args.no_sync) {
    if (auto durable = sync(**file); !durable) return durable;
  }
  return print(fmt::format("{}: wrote page {} ({} bytes), {}\n", args.file.path, args.page,
                           content->size(), args.no_sync ? "not synced" : "durable"));
}

void add_options(CLI::App& command, Args& args) {
  add_file(command, args.file);
  add_required_number(command, "PAGE", args.page, "page number, from 0");
  add_text(command, args.text);
  add_impl(command, args.file);
  add_flag(command, "--no-sync", args.no_sync, "do not sync: a power cut may take the page back");
}

}  // namespace

void add_write(CLI::App& app, Exit& exit) {
  add_command<Args>(app, exit, "write",
                    "Write TEXT to a page, zero-padded; create and grow the file as needed",
                    "Examples:\n"
                    "  pagealloc write x.pa 5 hello\n"
                    "  pagealloc write x.pa 6 --impl uring -- '--text with dashes'\n"
                    "  head -c 4096 /dev/urandom | pagealloc write x.pa 7 -",
                    add_options, write);
}

}  // namespace pagealloc::cli
