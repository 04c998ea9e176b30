// What can go wrong, as values: one code for the data path, one sentence for people.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace pagealloc {

using PageId = std::uint64_t;

/// The kinds of failure a caller can act on. Each has one exit code of the `pagealloc` command.
enum class Errc : std::uint8_t {
  ok,
  bad_argument,   ///< a value no file could accept: page size 1000, run 0, unknown implementation
  beyond_end,     ///< the page lies beyond the end of the file
  misaligned,     ///< an address, offset or length breaks an alignment rule
  not_page_file,  ///< a directory, a FIFO, or a size that is no multiple of the page size
  cannot_open,    ///< missing, no permission, exists already
  read_only,      ///< a write to a file opened for reading
  not_available,  ///< this machine, kernel or file system does not offer it
  no_frames,      ///< every frame is lent or staged; release one
  disk_full,      ///< no space left: nothing was changed, unless a punch has freed a part
  io,             ///< the system reported a failed read, write or sync
  truncated,      ///< somebody else made the file shorter than it was at open
  damaged,        ///< bytes that are not what was written: a wrong checksum, another page's place
  poisoned,       ///< an earlier write or sync failed; no later one can be trusted
};

/// The name of the code, as it is written in documentation: "beyond_end".
std::string_view name_of(Errc code);

/// A failure with all that a person needs: which file, which page, where, and why.
struct Error {
  Errc code = Errc::ok;
  int os_error = 0;                 ///< errno of the system call, 0 when no call was involved
  std::string path = {};            ///< the file; empty when none is concerned
  std::optional<PageId> page = {};  ///< the page, where one is concerned
  std::optional<std::uint64_t> offset_bytes = {};  ///< unset where it exceeds 64 bits
  std::string cause = {};                          ///< a sentence without its full stop

  /// One line: "x.pa: page 5 (offset 20480): beyond the end, the file has 3 pages".
  std::string text() const;
};

template <typename T>
using Result = std::expected<T, Error>;

/// Errc of a failed open-like call.
Errc errc_of_open(int os_error);
/// Errc of a failed allocation: ENOSPC and EDQUOT are disk_full, EFBIG is bad_argument (no file of
/// this file system can be that long), all else io.
Errc errc_of_io(int os_error);
/// strerror, thread safe, for a positive errno.
std::string describe(int os_error);

}  // namespace pagealloc
