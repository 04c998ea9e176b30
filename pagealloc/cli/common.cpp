#include "pagealloc/cli/common.h"

#include <fmt/format.h>
#include <linux/fs.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <vector>

namespace pagealloc::cli {

namespace {

std::uint64_t parse_number(const std::string& text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) {
    throw CLI::ValidationError(
        fmt::format("'{}' is not a decimal number from 0 to {}", text, UINT64_MAX));
  }
  return value;
}

/// `use` gets the number. The exception becomes one that also names the option.
template <typename Use>
CLI::Option* add_parsed(CLI::App& command, const std::string& name, const std::string& help,
                        Use use) {
  const auto parse = [name, use](const std::string& text) {
    try {
      use(parse_number(text));
    } catch (const CLI::ValidationError& error) {
      throw CLI::ValidationError(name, error.what());
    }
  };
  return command.add_option_function<std::string>(name, parse, help)->type_name("N");
}

Error stream_error(std::string cause, int os_error) {
  return error_at({}, Errc::io, std::move(cause), os_error);
}

}  // namespace

Exit exit_of(Errc code) {
  switch (code) {  // no default: the compiler names this place when a code is added
    case Errc::ok:
      return Exit::ok;
    case Errc::bad_argument:
    case Errc::beyond_end:
    case Errc::misaligned:
    case Errc::not_page_file:
      return Exit::refused;
    case Errc::cannot_open:
    case Errc::read_only:
      return Exit::cannot_open;
    case Errc::not_available:
    case Errc::no_frames:
      return Exit::not_available;
    case Errc::io:
    case Errc::truncated:
    case Errc::poisoned:
      return Exit::io;
    case Errc::disk_full:
      return Exit::disk_full;
    case Errc::damaged:
      return Exit::damaged;
  }
  return Exit::io;
}

// --- Options ------------------------------------------------------------------------------------

CLI::App& add_subcommand(CLI::App& app, const std::string& name, const std::string& description,
                         const std::string& examples) {
  CLI::App& command = *app.add_subcommand(name, description);
  command.footer(examples);
  return command;
}

void on_use(CLI::App& command, std::function<void()> callback) {
  command.callback(std::move(callback));
}

void add_path(CLI::App& command, std::string& path, const std::string& help) {
  const auto check = [](const std::string& name) {
    return name.empty() ? std::string("the name is empty") : std::string{};
  };
  command.add_option("FILE", path, help)->required()->type_name("")->check(check);
}

void add_file(CLI::App& command, FileArgs& args) {
  add_path(command, args.path, "the page file");
  add_number(command, "--page-size", args.page_bytes,
             "bytes per page, a power of two from 512 to 65536 (default 4096)");
}

void add_impl(CLI::App& command, FileArgs& args) {
  std::vector<std::string> names;
  for (const std::string_view name : implementations()) names.emplace_back(name);
  const auto check = [names](const std::string& name) {
    if (std::ranges::find(names, name) != names.end()) return std::string{};
    return fmt::format("'{}' is not one of {}", name, CLI::detail::join(names, ", "));
  };
  command
      .add_option("--impl", args.impl,
                  fmt::format("{} (default {})", CLI::detail::join(names, ", "), args.impl))
      ->check(check)
      ->type_name("NAME");
}

CLI::Option* add_number(CLI::App& command, const std::string& name, std::uint64_t& value,
                        const std::string& help) {
  return add_parsed(command, name, help, [&value](std::uint64_t number) { value = number; });
}

CLI::Option* add_number(CLI::App& command, const std::string& name,
                        std::optional<std::uint64_t>& value, const std::string& help) {
  return add_parsed(command, name, help, [&value](std::uint64_t number) { value = number; });
}

void add_required_number(CLI::App& command, const std::string& name, std::uint64_t& value,
                         const std::string& help) {
  add_number(command, name, value, help)->required();
}

CLI::Option* add_flag(CLI::App& command, const std::string& name, bool& value,
                      const std::string& help) {
  return command.add_flag(name, value, help);
}

void add_text(CLI::App& command, std::string& text) {
  command.add_option("TEXT", text, "what to write, or - for the standard input, any bytes")
      ->required()
      ->type_name("");
}

Result<Options> options_of(const FileArgs& args) {
  // open() checks this too, but only when the standard input has been read already.
  if (args.page_bytes < page_bytes_min || args.page_bytes > page_bytes_max ||
      !std::has_single_bit(args.page_bytes)) {
    return std::unexpected(error_at(args.path, Errc::bad_argument,
                                    fmt::format("page size {} is not a power of two from {} to {}",
                                                args.page_bytes, page_bytes_min, page_bytes_max)));
  }
  Options options;
  options.impl = args.impl;
  options.page_bytes = static_cast<std::uint32_t>(args.page_bytes);
  options.kernel = &kernel();
  return options;
}

// --- Standard streams ---------------------------------------------------------------------------

Result<void> print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return {};
  return std::unexpected(stream_error("cannot write to the standard output", errno));
}

Exit finish(const Result<void>& result) {
  Result<void> outcome = result;
  if (std::fflush(stdout) != 0 && outcome) {
    outcome = std::unexpected(stream_error("cannot write to the standard output", errno));
  }
  if (outcome) return Exit::ok;
  complain(outcome.error().text());
  return exit_of(outcome.error().code);
}

void complain(std::string_view line) {
  std::string text = "pagealloc: ";
  for (const char c : line) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20 || code == 0x7f) {
      text += fmt::format("\\x{:02x}", code);
    } else {
      text += c;
    }
  }
  text += '\n';
  (void)std::fwrite(text.data(), 1, text.size(), stderr);  // nobody is left to be told
}

Result<std::string> read_input(std::size_t limit_bytes) {
  std::string input(limit_bytes + 1, '\0');
  const std::size_t got = std::fread(input.data(), 1, input.size(), stdin);
  if (std::ferror(stdin) != 0) {
    return std::unexpected(stream_error("cannot read the standard input", errno));
  }
  input.resize(got);
  return input;
}

// --- Files --------------------------------------------------------------------------------------

Error error_at(std::string path, Errc code, std::string cause, int os_error,
               std::optional<PageId> page, std::optional<std::uint64_t> offset_bytes) {
  return Error{.code = code,
               .os_error = os_error,
               .path = std::move(path),
               .page = page,
               .offset_bytes = offset_bytes,
               .cause = std::move(cause)};
}

Result<std::string> content_of(const FileArgs& args, PageId page, const std::string& text,
                               std::uint64_t limit_bytes, std::string_view container) {
  const bool from_input = text == "-";
  Result<std::string> content = from_input ? read_input(limit_bytes) : text;
  if (!content || content->size() <= limit_bytes) return content;
  const std::string size = from_input ? fmt::format("more than {} bytes", limit_bytes)
                                      : fmt::format("{} bytes", text.size());
  return std::unexpected(
      error_at(args.path, Errc::bad_argument,
               fmt::format("{} do not fit into {} of {}", size, container, limit_bytes), 0, page,
               page * args.page_bytes));
}

Result<void> check_page_number(const FileArgs& args, PageId page) {
  if (page < static_cast<std::uint64_t>(INT64_MAX) / args.page_bytes) return {};
  return std::unexpected(error_at(
      args.path, Errc::bad_argument,
      fmt::format("no file can be that long with pages of {} bytes", args.page_bytes), 0, page));
}

Options for_length(Options options, std::uint64_t pages) {
  options.create = true;
  // The map reserves addresses once; by default fewer than a very large new page number needs.
  constexpr std::uint64_t reserve_default_bytes = 64ULL << 30;
  const std::uint64_t bytes = pages * options.page_bytes;
  if (options.impl == "mmap" && bytes > reserve_default_bytes) options.map_reserve_bytes = bytes;
  return options;
}

bool exists(const std::string& path) {
  struct statx found{};
  return kernel().statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &found) == 0;
}

Result<void> grow(const std::string& path, PageFile& file, std::uint64_t pages, bool made) {
  auto grown = file.resize(pages);
  if (!grown && made && file.pages() == 0) (void)kernel().unlink(path.c_str());
  return grown;
}

Result<std::unique_ptr<PageFile>> open_grown(const FileArgs& args, const Options& options,
                                             std::uint64_t pages) {
  const std::uint64_t bytes = pages * options.page_bytes;
  const bool made = !exists(args.path);
  auto file = pagealloc::open(args.path, for_length(options, pages));
  if (!file || (*file)->pages() >= pages) return file;
  if ((*file)->geometry().fixed_size) {
    return std::unexpected(
        error_at(args.path, Errc::beyond_end,
                 fmt::format("beyond the end of a block device of {} pages", (*file)->pages()), 0,
                 pages - 1, bytes - options.page_bytes));
  }
  if (auto grown = grow(args.path, **file, pages, made); !grown) {
    return std::unexpected(grown.error());
  }
  return file;
}

Result<Descriptor> Descriptor::open(const std::string& path, int flags, unsigned mode) {
  const int fd = kernel().open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return std::unexpected(error_at(path, errc_of_open(-fd), "cannot open", -fd));
  return Descriptor(path, fd);
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) (void)kernel().close(fd_);  // what had to be durable was synced before
}

Result<struct statx> Descriptor::status(unsigned mask) const {
  struct statx now{};
  const int result = kernel().statx(fd_, "", AT_EMPTY_PATH, mask, &now);
  if (result < 0) return std::unexpected(error_at(path_, Errc::io, "statx failed", -result));
  return now;
}

std::uint32_t Descriptor::block_bytes() const {
  int bytes = 0;
  const int result = kernel().ioctl(fd_, FIGETBSZ, &bytes);
  return result < 0 || bytes < 0 ? 0 : static_cast<std::uint32_t>(bytes);
}

Result<Reader> Reader::open(const FileArgs& args, Access access) {
  auto options = options_of(args);
  if (!options) return std::unexpected(options.error());
  options->read_only = true;
  options->access = access;
  auto file = pagealloc::open(args.path, *options);
  if (!file) return std::unexpected(file.error());
  auto descriptor = Descriptor::open(args.path, O_RDONLY | O_NONBLOCK);
  if (!descriptor) return std::unexpected(descriptor.error());
  return Reader(std::move(*file), std::move(*descriptor));
}

// release() knows of a truncation that made the map fault. One that ends inside a page of memory
// does not: the kernel shows zeros up to that page's end. So the length is looked at as well.
Result<void> Reader::check_not_truncated(PageId page) {
  if (file_->geometry().fixed_size) return {};  // a block device has no length to look at
  const auto now = descriptor_.status(STATX_SIZE);
  if (!now) return std::unexpected(now.error());
  if (now->stx_size / file_->geometry().page_bytes > page) return {};
  return std::unexpected(
      error_of(*file_, Op{.verb = Verb::read, .result = Errc::truncated, .page = page}));
}

}  // namespace pagealloc::cli
