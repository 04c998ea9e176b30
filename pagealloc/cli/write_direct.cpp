// `pagealloc write-direct`: the three alignment rules of O_DIRECT, shown by breaking them.
//
// The rules are checked here and not left to the kernel's EINVAL, because what the kernel takes
// depends on the file system: tmpfs takes anything, ext4 asks for the device's sector, and a test
// that relies on EINVAL passes on one machine and fails on the next. (open(2), statx(2))
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "pagealloc/cli/common.h"

namespace pagealloc::cli {

namespace {

constexpr std::uint32_t align_assumed_bytes = 4096;  // where the file system does not tell
constexpr std::uint64_t transfer_bytes_max = 1ULL << 30;

struct Args {
  FileArgs file;
  std::uint64_t page = 0;
  std::string text;
  std::uint64_t misalign_buffer = 0;
  std::uint64_t misalign_offset = 0;
  std::optional<std::uint64_t> length;

  std::uint64_t length_bytes() const { return length.value_or(file.page_bytes); }
  std::uint64_t offset_bytes() const { return page * file.page_bytes + misalign_offset; }
};

struct Rules {
  std::uint32_t memory_bytes = align_assumed_bytes;
  std::uint32_t offset_bytes = align_assumed_bytes;  ///< also of the length
  bool told = false;

  std::string_view source() const {
    return told ? "asked for by this file system, STATX_DIOALIGN"
                : "assumed because this file system does not tell";
  }
};

/// Memory that starts where the mapping does: on a page of the system.
class Buffer {
 public:
  static Result<Buffer> make(const std::string& path, std::size_t bytes) {
    auto memory =
        kernel().mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory) return Buffer(static_cast<std::byte*>(*memory), bytes);
    return std::unexpected(
        error_at(path, Errc::not_available, "cannot get memory for the buffer", -memory.error()));
  }
  Buffer(Buffer&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_) {}
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer() {
    if (memory_ != nullptr) (void)kernel().munmap(memory_, bytes_);
  }
  std::byte* data() const { return memory_; }

 private:
  Buffer(std::byte* memory, std::size_t bytes) : memory_(memory), bytes_(bytes) {}
  std::byte* memory_;
  std::size_t bytes_;
};

Error refuse(const Args& args, Errc code, std::string cause, int os_error = 0) {
  return error_at(args.file.path, code, std::move(cause), os_error, args.page, args.offset_bytes());
}

Result<void> check_numbers(const Args& args) {
  if (auto good = check_page_number(args.file, args.page); !good) return good;
  for (const std::uint64_t bytes :
       {args.misalign_buffer, args.misalign_offset, args.length_bytes()}) {
    if (bytes <= transfer_bytes_max) continue;
    return std::unexpected(
        error_at(args.file.path, Errc::bad_argument,
                 fmt::format("{} bytes are more than the {} that this command handles", bytes,
                             transfer_bytes_max)));
  }
  if (args.length_bytes() == 0) {
    return std::unexpected(
        error_at(args.file.path, Errc::bad_argument, "a length of 0 bytes writes nothing"));
  }
  const std::uint64_t end_page =
      (args.offset_bytes() + args.length_bytes() - 1) / args.file.page_bytes;
  return check_page_number(args.file, end_page);
}

Error explain_open(const Args& args, Error error) {
  error.path = args.file.path;
  error.cause = "cannot open for writing";
  if (error.os_error != EINVAL) return error;
  return error_at(args.file.path, Errc::not_available,
                  "not available here: this file system refuses O_DIRECT");
}

/// An existing file, opened as the write will be; or when it is missing an unnamed one in the same
/// directory, so that a refused write leaves nothing behind. Unset: no unnamed files here.
Result<std::optional<Descriptor>> open_probe(const Args& args) {
  auto options = options_of(args.file);
  if (!options) return std::unexpected(options.error());
  options->read_only = true;
  options->sync_at_open = false;
  const auto existing = pagealloc::open(args.file.path, *options);
  const bool missing = !existing && existing.error().os_error == ENOENT;
  if (!existing && !missing) return std::unexpected(existing.error());

  const std::size_t slash = args.file.path.rfind('/');
  const std::string directory =
      slash == std::string::npos ? "." : args.file.path.substr(0, slash + 1);
  auto probe = missing ? Descriptor::open(directory, O_TMPFILE | O_WRONLY | O_DIRECT, 0600)
                       : Descriptor::open(args.file.path, O_WRONLY | O_DIRECT | O_NONBLOCK);
  if (probe) return std::optional(std::move(*probe));
  // EISDIR: a kernel that knows no unnamed files takes the directory itself to be meant (open(2)).
  const int os_error = probe.error().os_error;
  if (missing && (os_error == EOPNOTSUPP || os_error == EISDIR)) return std::nullopt;
  return std::unexpected(explain_open(args, probe.error()));
}

Result<Rules> find_rules(const Args& args) {
  const auto opened = open_probe(args);
  if (!opened) return std::unexpected(opened.error());
  const std::optional<Descriptor>& probe = *opened;
  Rules rules;
  if (!probe.has_value()) return rules;
  const auto now = probe->status(STATX_DIOALIGN);
  if (!now) return std::unexpected(now.error());
  if ((now->stx_mask & STATX_DIOALIGN) == 0) return rules;
  rules = {.memory_bytes = now->stx_dio_mem_align,
           .offset_bytes = now->stx_dio_offset_align,
           .told = true};
  if (rules.offset_bytes != 0 && rules.memory_bytes != 0) return rules;
  return std::unexpected(error_at(args.file.path, Errc::not_available,
                                  "not available here: this file cannot be written with O_DIRECT"));
}

/// The first rule that is broken, in the order buffer, offset, length.
Result<void> check_alignment(const Args& args, const Rules& rules, const std::byte* buffer) {
  const auto address = reinterpret_cast<std::uintptr_t>(buffer);
  std::string broken;
  std::uint32_t align = rules.offset_bytes;
  if (address % rules.memory_bytes != 0) {
    broken = fmt::format("buffer address {:#x}", address);
    align = rules.memory_bytes;
  } else if (args.offset_bytes() % align != 0) {
    broken = fmt::format("offset {}", args.offset_bytes());
  } else if (args.length_bytes() % align != 0) {
    broken = fmt::format("length {}", args.length_bytes());
  } else {
    return {};
  }
  return std::unexpected(
      refuse(args, Errc::misaligned,
             fmt::format("misaligned for O_DIRECT, the {} is not a multiple of {} ({})", broken,
                         align, rules.source())));
}

/// Writes it all, however many calls that takes.
Result<void> write_all(const Args& args, const Rules& rules, const Descriptor& descriptor,
                       std::byte* buffer) {
  std::uint64_t done = 0;
  while (done < args.length_bytes()) {
    const iovec iov{buffer + done, args.length_bytes() - done};
    const std::int64_t result =
        kernel().pwritev(descriptor.fd(), &iov, 1, args.offset_bytes() + done);
    if (result == -EINTR) continue;
    if (result == -EINVAL) {
      return std::unexpected(refuse(args, Errc::not_available,
                                    "not available here: this file system refuses the O_DIRECT "
                                    "write",
                                    EINVAL));
    }
    if (result < 0) {
      const int os_error = static_cast<int>(-result);
      return std::unexpected(refuse(args, errc_of_io(os_error), "write failed", os_error));
    }
    // The rest must start aligned again: what came past the last boundary is written once more.
    const std::uint64_t before = done;
    done += static_cast<std::uint64_t>(result);
    if (done < args.length_bytes()) done -= done % std::max(rules.memory_bytes, rules.offset_bytes);
    if (done <= before) return std::unexpected(refuse(args, Errc::io, "write failed", EIO));
  }
  // O_DIRECT passes the page cache by, not the drive's own cache.
  int result = 0;
  do {
    result = kernel().fdatasync(descriptor.fd());
  } while (result == -EINTR);
  if (result == 0) return {};
  return std::unexpected(refuse(args, Errc::io, "sync failed", -result));
}

/// Space for the write, durably allocated: growth is the page file's business, not O_DIRECT's.
Result<void> make_room(const Args& args) {
  const auto options = options_of(args.file);
  if (!options) return std::unexpected(options.error());
  const std::uint64_t end = args.offset_bytes() + args.length_bytes();
  auto file = open_grown(args.file, *options, (end - 1) / args.file.page_bytes + 1);
  if (!file) return std::unexpected(file.error());
  return sync(**file);
}

Result<void> write_direct(const Args& args) {
  if (auto options = options_of(args.file); !options) return std::unexpected(options.error());
  if (auto good = check_numbers(args); !good) return good;
  const auto content = content_of(args.file, args.page, args.text, args.length_bytes(), "a write");
  if (!content) return std::unexpected(content.error());
  const auto rules = find_rules(args);
  if (!rules) return std::unexpected(rules.error());
  const auto memory = Buffer::make(args.file.path, args.misalign_buffer + args.length_bytes());
  if (!memory) return std::unexpected(memory.error());
  std::byte* const buffer = memory->data() + args.misalign_buffer;
  if (auto good = check_alignment(args, *rules, buffer); !good) return good;

  std::memcpy(buffer, content->data(), content->size());  // the rest of a new mapping is zeros
  if (auto good = make_room(args); !good) return good;
  const auto descriptor = Descriptor::open(args.file.path, O_WRONLY | O_DIRECT | O_NONBLOCK);
  if (!descriptor) return std::unexpected(explain_open(args, descriptor.error()));
  if (auto good = write_all(args, *rules, *descriptor, buffer); !good) return good;
  return print(
      fmt::format("{}: wrote {} bytes at offset {} (page {}) with O_DIRECT, durable\n"
                  "  buffer   {} bytes past a page of memory, must be a multiple of {}\n"
                  "  offset   {}, must be a multiple of {}\n"
                  "  length   {}, must be a multiple of {}\n"
                  "  rules    {}\n",
                  args.file.path, args.length_bytes(), args.offset_bytes(),
                  args.offset_bytes() / args.file.page_bytes, args.misalign_buffer,
                  rules->memory_bytes, args.offset_bytes(), rules->offset_bytes,
                  args.length_bytes(), rules->offset_bytes, rules->source()));
}

void add_options(CLI::App& command, Args& args) {
  add_file(command, args.file);
  add_required_number(command, "PAGE", args.page, "page number, from 0");
  add_text(command, args.text);
  add_number(command, "--misalign-buffer", args.misalign_buffer,
             "place the buffer N bytes past an aligned address");
  add_number(command, "--misalign-offset", args.misalign_offset,
             "write N bytes past the start of the page");
  add_number(command, "--length", args.length, "write N bytes (default: a page)");
}

}  // namespace

void add_write_direct(CLI::App& app, Exit& exit) {
  add_command<Args>(
      app, exit, "write-direct",
      "Write with O_DIRECT; refuse what breaks an alignment rule, and say which",
      "The rules are the file system's own where it tells them (statx with\n"
      "STATX_DIOALIGN), else 4096 bytes for buffer address, offset and length.\n\n"
      "Examples:\n"
      "  pagealloc write-direct x.pa 5 hello\n"
      "  pagealloc write-direct x.pa 5 hello --misalign-buffer 1    refused\n"
      "  pagealloc write-direct x.pa 5 hello --misalign-offset 100  refused\n"
      "  pagealloc write-direct x.pa 5 hello --length 512           if sectors are 512",
      add_options, write_direct);
}

}  // namespace pagealloc::cli
