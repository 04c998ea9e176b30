// The `pagealloc` command: page files by hand. Each subcommand is in the file of its name.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "pagealloc/cli/common.h"

namespace pagealloc::cli {

namespace {

constexpr const char* footer =
    "Examples:\n"
    "  pagealloc create x.pa --pages 8            a new file of 8 pages\n"
    "  pagealloc write x.pa 5 hello               write page 5, durably\n"
    "  pagealloc read x.pa 5 --impl mmap          read it through another implementation\n"
    "  pagealloc hexdump x.pa 5                   see its bytes\n"
    "  pagealloc stat x.pa                        sizes, and what this machine offers\n"
    "  pagealloc punch x.pa 5                     give its space back\n"
    "  pagealloc write-direct x.pa 5 hello --misalign-buffer 1\n"
    "                                             see O_DIRECT refused\n"
    "  pagealloc format s.pa                      a file of structured pages\n"
    "  pagealloc load s.pa < /etc/services        lines as records\n"
    "  pagealloc map s.pa                         every page a character\n"
    "  pagealloc inspect s.pa 5                   a page, byte by byte\n"
    "  pagealloc verify s.pa                      everything that is wrong with it\n"
    "  pagealloc --kernel sim:nvme write x.pa 5 hello\n"
    "                                             the same on a simulated machine: x.pa is copied\n"
    "                                             in before and out after\n"
    "  pagealloc --kernel sim:nvme --power-cut 3 write new.pa 5 hello\n"
    "  pagealloc --kernel sim:nvme --power-cut 3 write new.pa 5 lost --no-sync\n"
    "                                             what a power cut leaves, with and without a "
    "sync\n"
    "  pagealloc SUBCOMMAND --help                options and more examples\n"
    "\n"
    "Exit codes:\n"
    "  0  done\n"
    "  1  the command line cannot be understood\n"
    "  2  input refused: bad page size, page beyond the end, misaligned, text too long, or not\n"
    "     a page file (a directory, a FIFO, a size that is no multiple of the page size)\n"
    "  3  cannot open the file: missing, no permission, read-only, exists already\n"
    "  4  not available here: this machine, kernel or file system does not offer it\n"
    "  5  input or output failed, or the file was truncated or failed while in use\n"
    "  6  disk full\n"
    "  7  damaged: bytes that are not what was written";

/// What CLI11 says is at times only half of it: an argument it did not know makes another one
/// "required". One line, like every other error, and where to read more.
Exit explain(const CLI::App& app, const CLI::ParseError& error) {
  std::string line = error.what();
  std::string command = "pagealloc";
  // An option before the subcommand is not in the subcommand's help.
  if (app.get_option_no_throw(line.substr(0, line.find(':'))) == nullptr) {
    for (const CLI::App* sub : app.get_subcommands()) command += " " + sub->get_name();
  }
  const std::vector<std::string> unknown = app.remaining(true);
  if (line.starts_with("A subcommand")) line = "a subcommand is required";
  if (!unknown.empty() && app.get_subcommands().empty()) {
    line = fmt::format("there is no subcommand or option '{}'", unknown.front());
  } else if (!unknown.empty()) {
    line = fmt::format("'{}' was not expected", unknown.front());
    const bool text_missing = std::string_view(error.what()).starts_with("TEXT");
    if (text_missing) line += "; put -- before a TEXT that looks like an option";
  }
  complain(fmt::format("{} (see {} --help)", line, command));
  return Exit::usage;
}

Exit run(int argc, char** argv) {
  CLI::App app("Page files by hand: create, write, read and inspect them, four ways.", "pagealloc");
  app.set_version_flag("--version", "pagealloc " PAGEALLOC_VERSION);
  app.require_subcommand(1);
  app.footer(footer);
  add_kernel(app);
  Exit exit = Exit::ok;
  for (const auto add : {add_create, add_write, add_read, add_hexdump, add_stat, add_punch,
                         add_write_direct, add_cache_trace, add_format, add_load, add_inspect,
                         add_map, add_verify, add_free, add_compact}) {
    add(app, exit);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return finish(print(app.help()));
  } catch (const CLI::CallForVersion&) {
    return finish(print(app.version() + "\n"));
  } catch (const CLI::ParseError& error) {
    return explain(app, error);
  }
  return exit;
}

}  // namespace

}  // namespace pagealloc::cli

int main(int argc, char** argv) {
  try {
    return static_cast<int>(pagealloc::cli::run(argc, argv));
  } catch (const std::exception& error) {  // no memory, or a defect: an error line all the same
    pagealloc::cli::complain(error.what());
    return static_cast<int>(pagealloc::cli::Exit::io);
  }
}
