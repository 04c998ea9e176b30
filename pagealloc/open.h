// Opening a page file with the implementation that Options::impl names.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "pagealloc/options.h"
#include "pagealloc/page_file.h"

namespace pagealloc {

/// Opens `path`. An implementation that this machine cannot offer is not_available, with the
/// reason; there is no fallback to another. An option that the implementation has no use for is
/// refused rather than ignored. Errors name the file and the cause.
Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options);

/// The names that Options::impl takes: pread, mmap, direct, uring.
std::span<const std::string_view> implementations();

}  // namespace pagealloc
