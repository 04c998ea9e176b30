// What the subcommands about structured files share: opening one, whatever its page size.
#pragma once

#include <memory>
#include <string>

#include "pagealloc/cli/common.h"
#include "pagealloc/page/allocator.h"

namespace pagealloc::cli {

/// Adds FILE, whose page size is what the file says.
void add_structured(CLI::App& command, FileArgs& args);

/// Is there a superblock in it, and of what page size? Looks for the first copy, and for the others
/// at where each page size would have them. not_page_file when there is none.
Result<std::uint32_t> find_page_bytes(const FileArgs& args);

/// A structured file: the allocator works on the page file.
struct Structured {
  std::unique_ptr<PageFile> file;
  page::Allocator allocator;
};
Result<Structured> open_structured(FileArgs args, bool read_only);

/// Of a file that could not be opened as a whole: its pages, of the size that it says.
Result<std::unique_ptr<PageFile>> open_pages(FileArgs args, bool read_only);

/// "3 slotted, 1 map"; "1 page", "2 pages".
std::string plural(std::uint64_t count, std::string_view what);

}  // namespace pagealloc::cli
