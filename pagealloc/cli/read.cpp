// `pagealloc read`: one page to the standard output, exactly.
#include "pagealloc/cli/common.h"

namespace pagealloc::cli {

namespace {

struct Args {
  FileArgs file;
  std::uint64_t page = 0;
  bool raw = false;
};

Result<void> read(const Args& args) {
  auto reader = Reader::open(args.file, Access::random);
  if (!reader) return std::unexpected(reader.error());
  std::string content;
  const auto copy = [&](std::span<const std::byte> bytes) {
    content.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  if (auto good = reader->with_page(args.page, copy); !good) return good;
  if (!args.raw) {
    content.resize(content.find_last_not_of('\0') + 1);  // npos + 1 is 0: the page is all zeros
    content += '\n';
  }
  return print(content);
}

void add_options(CLI::App& command, Args& args) {
  add_file(command, args.file);
  add_required_number(command, "PAGE", args.page, "page number, from 0");
  add_impl(command, args.file);
  add_flag(command, "--raw", args.raw, "the whole page and nothing else");
}

}  // namespace

void add_read(CLI::App& app, Exit& exit) {
  add_command<Args>(app, exit, "read", "Print a page without its trailing zero bytes",
                    "Examples:\n"
                    "  pagealloc read x.pa 5\n"
                    "  pagealloc read x.pa 7 --raw --impl mmap | sha256sum",
                    add_options, read);
}

}  // namespace pagealloc::cli
