// What the subcommands of `pagealloc` share: exit codes, options, and how they talk.
//
// A subcommand is one file: its options, its examples, and a function that returns Result<void>.
// It makes no system call; it goes through PageFile, or through os::Kernel where PageFile has no
// word for what it wants to show (blocks on disk, alignment rules).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "pagealloc/cli/machine.h"
#include "pagealloc/open.h"

// Subcommands see CLI11 by its name only: what it is made of took each of them four seconds to
// compile.
namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace pagealloc::cli {

Exit exit_of(Errc code);

// --- Options ------------------------------------------------------------------------------------

/// Which file, and how to open it.
struct FileArgs {
  std::string path;
  std::string impl = "pread";
  std::uint64_t page_bytes = 4096;
};

/// Adds FILE, a name that is not empty.
void add_path(CLI::App& command, std::string& path, const std::string& help);
/// Adds FILE and --page-size.
void add_file(CLI::App& command, FileArgs& args);
/// Adds --impl.
void add_impl(CLI::App& command, FileArgs& args);
/// Adds a number that must be plain decimal digits and fit into 64 bits. CLI11's own conversion
/// would take 010 for eight and 2^64 for 2^64 - 1.
CLI::Option* add_number(CLI::App& command, const std::string& name, std::uint64_t& value,
                        const std::string& help);
CLI::Option* add_number(CLI::App& command, const std::string& name,
                        std::optional<std::uint64_t>& value, const std::string& help);
/// The same, of one that must be there.
void add_required_number(CLI::App& command, const std::string& name, std::uint64_t& value,
                         const std::string& help);
CLI::Option* add_flag(CLI::App& command, const std::string& name, bool& value,
                      const std::string& help);
/// Adds TEXT, which content_of() reads.
void add_text(CLI::App& command, std::string& text);

/// Options for open(). Refuses a bad page size before anything is read, created or grown.
Result<Options> options_of(const FileArgs& args);

CLI::App& add_subcommand(CLI::App& app, const std::string& name, const std::string& description,
                         const std::string& examples);
/// What happens when the command line has this subcommand.
void on_use(CLI::App& command, std::function<void()> callback);

/// Adds a subcommand that will call run(args) and set `exit`. `add_options` binds `args`.
template <typename Args>
void add_command(CLI::App& app, Exit& exit, const std::string& name, const std::string& description,
                 const std::string& examples, void (*add_options)(CLI::App&, Args&),
                 Result<void> (*run)(const Args&)) {
  CLI::App& command = add_subcommand(app, name, description, examples);
  const auto args = std::make_shared<Args>();
  add_options(command, *args);
  on_use(command,
         [args, run, &exit] { exit = run_on_kernel(args->file.path, [&] { return run(*args); }); });
}

void add_create(CLI::App& app, Exit& exit);
void add_write(CLI::App& app, Exit& exit);
void add_read(CLI::App& app, Exit& exit);
void add_hexdump(CLI::App& app, Exit& exit);
void add_stat(CLI::App& app, Exit& exit);
void add_punch(CLI::App& app, Exit& exit);
void add_write_direct(CLI::App& app, Exit& exit);
void add_cache_trace(CLI::App& app, Exit& exit);
void add_format(CLI::App& app, Exit& exit);
void add_load(CLI::App& app, Exit& exit);
void add_inspect(CLI::App& app, Exit& exit);
void add_map(CLI::App& app, Exit& exit);
void add_verify(CLI::App& app, Exit& exit);
void add_free(CLI::App& app, Exit& exit);
void add_compact(CLI::App& app, Exit& exit);

// --- Standard streams ---------------------------------------------------------------------------

/// Prints the error, if there is one, after what the subcommand printed; the exit code of both.
Exit finish(const Result<void>& result);
/// Prints to the standard output. A full disk behind it is an error like any other.
Result<void> print(std::string_view text);
/// One line on the standard error, whatever bytes a file's name is made of.
void complain(std::string_view line);
/// The standard input, of which at most `limit_bytes` + 1 bytes are taken, so that the caller can
/// tell that there was more.
Result<std::string> read_input(std::size_t limit_bytes);

// --- Files --------------------------------------------------------------------------------------

/// An error about a file, or about one of its pages when `page` is given.
Error error_at(std::string path, Errc code, std::string cause, int os_error = 0,
               std::optional<PageId> page = {}, std::optional<std::uint64_t> offset_bytes = {});

/// The bytes of TEXT, or of the standard input when TEXT is "-". More than `limit_bytes` is an
/// error: nothing is cut off. `container` names what they are for: "a page".
Result<std::string> content_of(const FileArgs& args, PageId page, const std::string& text,
                               std::uint64_t limit_bytes, std::string_view container);

/// Checks that a file can be so long that it ends with this page.
Result<void> check_page_number(const FileArgs& args, PageId page);
/// Options for a file that may be missing and shall be able to grow to `pages` pages.
Options for_length(Options options, std::uint64_t pages);
/// Grows the file to `pages` pages. One that was made for them goes again when that fails.
Result<void> grow(const std::string& path, PageFile& file, std::uint64_t pages, bool made);
/// Is there anything of this name?
bool exists(const std::string& path);
/// Opens the file, creating it when missing, grown to at least `pages` pages.
Result<std::unique_ptr<PageFile>> open_grown(const FileArgs& args, const Options& options,
                                             std::uint64_t pages);

/// A descriptor of our own beside the PageFile's, closed at the end.
class Descriptor {
 public:
  /// Opens a file for what statx and ioctl tell. Not before open() found that it is no FIFO.
  static Result<Descriptor> open(const std::string& path, int flags, unsigned mode = 0);
  Descriptor(Descriptor&& other) noexcept
      : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor();

  int fd() const { return fd_; }
  const std::string& path() const { return path_; }
  Result<struct statx> status(unsigned mask) const;
  /// Block size of the file system that holds the file; 0 when it does not tell.
  std::uint32_t block_bytes() const;

 private:
  Descriptor(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
};

/// Reads pages so that bytes of a file that somebody truncates meanwhile are never handed on.
class Reader {
 public:
  static Result<Reader> open(const FileArgs& args, Access access);

  PageFile& file() { return *file_; }
  /// Calls use(bytes) with a page, then makes sure that they were the file's. Only after that may
  /// anything made from them be printed.
  template <typename Use>
  Result<void> with_page(PageId page, Use use) {
    auto lent = read_page(*file_, page);
    if (!lent) return std::unexpected(lent.error());
    use(lent->bytes());
    if (auto good = lent->release(); !good) return good;
    return check_not_truncated(page);
  }

 private:
  Reader(std::unique_ptr<PageFile> file, Descriptor descriptor)
      : file_(std::move(file)), descriptor_(std::move(descriptor)) {}
  Result<void> check_not_truncated(PageId page);
  std::unique_ptr<PageFile> file_;
  Descriptor descriptor_;
};

}  // namespace pagealloc::cli
