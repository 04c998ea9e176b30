#include "pagealloc/error.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace pagealloc {

std::string_view name_of(Errc code) {
  switch (code) {
    case Errc::ok:
      return "ok";
    case Errc::bad_argument:
      return "bad_argument";
    case Errc::beyond_end:
      return "beyond_end";
    case Errc::misaligned:
      return "misaligned";
    case Errc::not_page_file:
      return "not_page_file";
    case Errc::cannot_open:
      return "cannot_open";
    case Errc::read_only:
      return "read_only";
    case Errc::not_available:
      return "not_available";
    case Errc::no_frames:
      return "no_frames";
    case Errc::disk_full:
      return "disk_full";
    case Errc::io:
      return "io";
    case Errc::truncated:
      return "truncated";
    case Errc::damaged:
      return "damaged";
    case Errc::poisoned:
      return "poisoned";
  }
  return "unknown";
}

std::string Error::text() const {
  std::string line;
  if (!path.empty()) line += path + ": ";
  if (page) line += fmt::format("page {}", *page);
  if (page && offset_bytes) line += fmt::format(" (offset {})", *offset_bytes);
  if (page) line += ": ";
  line += cause;
  if (os_error != 0) line += fmt::format(": {} (errno {})", describe(os_error), os_error);
  return line;
}

Errc errc_of_open(int os_error) {
  switch (os_error) {
    case EROFS:
      return Errc::read_only;
    case EISDIR:
      return Errc::not_page_file;
    case ENOSPC:
    case EDQUOT:
      return Errc::disk_full;
    case EIO:
      return Errc::io;
    default:
      return Errc::cannot_open;
  }
}

Errc errc_of_io(int os_error) {
  if (os_error == EFBIG) return Errc::bad_argument;
  return os_error == ENOSPC || os_error == EDQUOT ? Errc::disk_full : Errc::io;
}

std::string describe(int os_error) { return std::generic_category().message(os_error); }

}  // namespace pagealloc
