#include "pagealloc/page_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace pagealloc {

std::string_view name_of(Verb verb) {
  switch (verb) {
    case Verb::read:
      return "read";
    case Verb::write:
      return "write";
    case Verb::sync:
      return "sync";
    case Verb::punch:
      return "punch";
    case Verb::prefetch:
      return "prefetch";
  }
  return "unknown";
}

namespace {

std::string cause_of(const PageFile& file, const Op& op) {
  switch (op.result) {
    case Errc::bad_argument:
      return fmt::format("cannot {} a run of {} pages{}", name_of(op.verb), op.run,
                         op.verb == Verb::write ? ": no memory was given, or a frame that was not "
                                                  "staged for as many"
                         : op.verb == Verb::read && op.run > file.geometry().frames
                             ? fmt::format(": there are {} frames", file.geometry().frames)
                             : "");
    case Errc::beyond_end:
      return fmt::format("{}beyond the end, the file has {} page{}",
                         op.run > 1 ? fmt::format("a run of {} pages is ", op.run) : "",
                         file.pages(), file.pages() == 1 ? "" : "s");
    case Errc::misaligned:
      return fmt::format("misaligned, memory must be aligned to {} bytes",
                         file.geometry().align_bytes);
    case Errc::read_only:
      return fmt::format("cannot {}, opened read-only", name_of(op.verb));
    case Errc::not_available:
      return op.verb == Verb::prefetch
                 ? "not available here: O_DIRECT passes the kernel's cache by, and the file was "
                   "opened without one of its own"
                 : fmt::format("not available here: {} on this kind of file", name_of(op.verb));
    case Errc::no_frames:
      return op.run > 1
                 ? fmt::format("no {} free frames side by side, of {} in all", op.run,
                               file.geometry().frames)
                 : fmt::format("no free frame, all {} are lent or staged", file.geometry().frames);
    case Errc::disk_full:
      return fmt::format(
          "cannot {}, {}", name_of(op.verb),
          op.verb == Verb::punch ? "part of it may have been freed" : "nothing was changed");
    case Errc::truncated:
      return file.geometry().base == nullptr
                 ? "the file was made shorter by somebody else while it was open"
                 : "a page of the map cannot be had: the file was made shorter while it was open";
    case Errc::poisoned:
      return fmt::format(
          "cannot {}, an earlier write or sync of this file failed and what it holds is uncertain",
          name_of(op.verb));
    default:
      return op.os_error == 0 && file.failed() == Errc::io
                 ? std::string("a page of the map cannot be had: its disk failed or is full")
                 : fmt::format("{} failed", name_of(op.verb));
  }
}

/// Ends the process when something else is in flight: to go on would report success for an
/// operation whose fate is unknown, and leave the file a pointer into a stack frame that is gone.
void run_alone(PageFile& file, Op& op) {
  Op* const batch[] = {&op};
  Op* done[1] = {};
  if (file.submit(batch) == 1 && file.reap(done, 1) == 1 && done[0] == &op) return;
  fmt::print(stderr, "{}: a blocking helper was called with other operations in flight\n",
             file.path());
  std::abort();
}

/// Names the page and its offset, which has no number when the page is absurd.
void locate(Error& error, const PageFile& file, PageId page) {
  error.page = page;
  const std::uint64_t page_bytes = file.geometry().page_bytes;
  if (page <= UINT64_MAX / page_bytes) error.offset_bytes = page * page_bytes;
}

Result<void> result_of(const PageFile& file, const Op& op) {
  if (op.result == Errc::ok) return {};
  return std::unexpected(error_of(file, op));
}

}  // namespace

Error error_of(const PageFile& file, const Op& op) {
  Error error{.code = op.result,
              .os_error = op.os_error,
              .path = std::string(file.path()),
              .cause = cause_of(file, op)};
  if (op.verb != Verb::sync) locate(error, file, op.page);
  return error;
}

Result<void> PageRef::release() {
  reset();
  const Errc state = file_->failed();
  if (state != Errc::truncated && state != Errc::io) return {};
  return result_of(*file_, Op{.verb = Verb::read, .result = state, .page = page_});
}

Result<PageRef> read_page(PageFile& file, PageId page, std::uint32_t run) {
  Op op{.verb = Verb::read, .run = run, .page = page};
  run_alone(file, op);
  if (op.result != Errc::ok) return std::unexpected(error_of(file, op));
  return PageRef(file, page, op.frame, run);
}

Result<void> write_page(PageFile& file, PageId page, std::span<const std::byte> bytes) {
  Op op{.verb = Verb::write, .page = page};
  const std::size_t page_bytes = file.geometry().page_bytes;
  if (bytes.size() > page_bytes) {
    Error error{
        .code = Errc::bad_argument,
        .path = std::string(file.path()),
        .cause = fmt::format("{} bytes do not fit into a page of {}", bytes.size(), page_bytes)};
    locate(error, file, page);
    return std::unexpected(std::move(error));
  }
  op.frame = file.stage(page, 1);
  if (op.frame == nullptr) {
    op.result = page < file.pages() ? Errc::no_frames : Errc::beyond_end;
    return std::unexpected(error_of(file, op));
  }
  std::ranges::copy(bytes, op.frame);
  std::memset(op.frame + bytes.size(), 0, page_bytes - bytes.size());
  run_alone(file, op);
  return result_of(file, op);
}

Result<void> write_run(PageFile& file, PageId page, std::span<std::byte> bytes) {
  Op op{.verb = Verb::write,
        .run = static_cast<std::uint32_t>(bytes.size() / file.geometry().page_bytes),
        .page = page,
        .frame = bytes.data()};
  run_alone(file, op);
  return result_of(file, op);
}

Result<void> sync(PageFile& file) {
  Op op{.verb = Verb::sync};
  run_alone(file, op);
  return result_of(file, op);
}

Result<void> punch(PageFile& file, PageId page, std::uint32_t run) {
  Op op{.verb = Verb::punch, .run = run, .page = page};
  run_alone(file, op);
  return result_of(file, op);
}

Result<void> prefetch(PageFile& file, PageId page, std::uint32_t run) {
  Op op{.verb = Verb::prefetch, .run = run, .page = page};
  run_alone(file, op);
  return result_of(file, op);
}

}  // namespace pagealloc
