// `pagealloc hexdump`: offset, bytes and characters, as `hexdump -C` prints them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "pagealloc/cli/common.h"

namespace pagealloc::cli {

namespace {

constexpr std::size_t line_bytes = 16;

/// Formats lines, and remembers the last one across pages: a repeated line is printed once, then
/// "*" stands for all that follow.
class Formatter {
 public:
  void add(std::uint64_t offset, std::span<const std::byte> page, std::string& out) {
    for (std::size_t at = 0; at < page.size(); at += line_bytes) {
      add_line(offset + at, page.subspan(at, line_bytes), out);
    }
  }

 private:
  void add_line(std::uint64_t offset, std::span<const std::byte> line, std::string& out) {
    const bool repeated = any_ && std::ranges::equal(line, last_);
    if (repeated && !starred_) out += "*\n";
    starred_ = repeated;
    if (repeated) return;
    any_ = true;
    std::ranges::copy(line, last_.begin());

    fmt::format_to(std::back_inserter(out), "{:08x} ", offset);
    for (std::size_t i = 0; i < line_bytes; ++i) {
      fmt::format_to(std::back_inserter(out), "{} {:02x}", i == line_bytes / 2 ? " " : "",
                     std::to_integer<unsigned>(line[i]));
    }
    out += "  |";
    for (const std::byte byte : line) {
      const char c = static_cast<char>(byte);
      out += c >= ' ' && c <= '~' ? c : '.';
    }
    out += "|\n";
  }

  std::array<std::byte, line_bytes> last_{};
  bool any_ = false;
  bool starred_ = false;
};

struct Args {
  FileArgs file;
  std::optional<std::uint64_t> page;
};

Result<void> hexdump(const Args& args) {
  const Access access = args.page ? Access::random : Access::sequential;
  auto reader = Reader::open(args.file, access);
  if (!reader) return std::unexpected(reader.error());
  const PageId first = args.page.value_or(0);
  const PageId end = args.page ? first + 1 : reader->file().pages();

  Formatter formatter;
  std::string lines;
  PageId page = first;
  // At least once when a page was asked for, also when `end` has overflown to 0.
  while (page != end) {
    lines.clear();
    const auto format = [&](std::span<const std::byte> bytes) {
      formatter.add(page * args.file.page_bytes, bytes, lines);
    };
    if (auto good = reader->with_page(page, format); !good) return good;
    if (auto good = print(lines); !good) return good;
    ++page;
  }
  if (first == end) return {};
  return print(fmt::format("{:08x}\n", end * args.file.page_bytes));
}

void add_options(CLI::App& command, Args& args) {
  add_file(command, args.file);
  add_number(command, "PAGE", args.page, "page number, from 0; without it the whole file");
  add_impl(command, args.file);
}

}  // namespace

void add_hexdump(CLI::App& app, Exit& exit) {
  add_command<Args>(app, exit, "hexdump", "Print a page or the whole file, as hexdump -C does",
                    "Examples:\n"
                    "  pagealloc hexdump x.pa\n"
                    "  pagealloc hexdump x.pa 5 --impl direct",
                    add_options, hexdump);
}

}  // namespace pagealloc::cli
