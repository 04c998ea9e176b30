// `pagealloc map`: all pages of a structured file, a character each.
#include <fmt/color.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "pagealloc/cli/structured.h"
#include "pagealloc/slotted/verify.h"

namespace pagealloc::cli {

namespace {

using slotted::Condition;

struct Args {
  FileArgs file;
};

/// The same letters as in the browser (viewer/map.js).
struct Mark {
  char letter;
  fmt::terminal_color color;
};

constexpr char inside = '+';  // of a run, behind its first page

Mark mark_of(Condition condition) {
  switch (condition) {
    case Condition::free:
      return {'.', fmt::terminal_color::bright_black};
    case Condition::punched:
      return {'_', fmt::terminal_color::bright_black};
    case Condition::superblock:
      return {'B', fmt::terminal_color::magenta};
    case Condition::map:
      return {'M', fmt::terminal_color::cyan};
    case Condition::slotted:
      return {'S', fmt::terminal_color::green};
    case Condition::node:
      return {'N', fmt::terminal_color::blue};
    case Condition::overflow:
      return {'O', fmt::terminal_color::yellow};
    case Condition::unknown:
      return {'?', fmt::terminal_color::bright_black};
    case Condition::damaged:
      break;
  }
  return {'!', fmt::terminal_color::red};
}

std::string row_of(std::string_view letters, std::span<const Condition> is, bool colored) {
  std::string row;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const std::string letter(1, letters[i]);
    row += colored ? fmt::format("{}", fmt::styled(letter, fmt::fg(mark_of(is[i]).color))) : letter;
  }
  return row;
}

std::string legend() {
  std::string text;
  for (std::size_t i = 0; i < slotted::conditions; ++i) {
    const auto condition = static_cast<Condition>(i);
    text += fmt::format("{} {}, ", mark_of(condition).letter, name_of(condition));
  }
  return text + fmt::format("{} inside of a run", inside);
}

Result<void> map(const Args& args) {
  const auto examined = Examined::open(args.file);
  if (!examined) return std::unexpected(examined.error());
  std::string letters;
  std::vector<Condition> is;
  std::uint64_t violations = 0;
  const slotted::Witness witness{
      .violation =
          [&](const Error& error) {
            ++violations;
            // References are judged at the end, when the page was taken for whole.
            if (error.page && *error.page < letters.size()) {
              letters[*error.page] = '!';
              is[*error.page] = Condition::damaged;
            }
          },
      .page =
          [&](PageId, std::uint32_t run, Condition condition, std::span<const std::byte>) {
            letters += mark_of(condition).letter;
            letters.append(run - 1, inside);
            is.insert(is.end(), run, condition);
          }};
  if (const auto verified = examined->walk(witness); !verified) {
    return std::unexpected(verified.error());
  }
  constexpr std::size_t row_pages = 64;
  const bool colored = isatty(STDOUT_FILENO) != 0;
  for (std::size_t at = 0; at < letters.size(); at += row_pages) {
    const std::string_view row = std::string_view(letters).substr(at, row_pages);
    const std::string line = row_of(row, std::span(is).subspan(at, row.size()), colored);
    if (auto done = print(fmt::format("{:>10}  {}\n", at, line)); !done) return done;
  }
  if (auto done = print(fmt::format("{:>10}  {}\n", "", legend())); !done) return done;
  if (violations == 0) return {};
  return std::unexpected(
      error_at(args.file.path, Errc::damaged,
               fmt::format("{} (pagealloc verify lists them)", plural(violations, "violation"))));
}

void add_options(CLI::App& command, Args& args) {
  add_structured(command, args.file);
  add_impl(command, args.file);
}

}  // namespace

void add_map(CLI::App& app, Exit& exit) {
  add_command<Args>(app, exit, "map", "Show all pages of a structured file, a character each",
                    "Exit code 7 when a page is damaged.\n"
                    "Example:\n"
                    "  pagealloc map s.pa",
                    add_options, map);
}

}  // namespace pagealloc::cli
