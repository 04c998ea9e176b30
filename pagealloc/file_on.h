// From an engine to a page file: where its frames come from is decided here.
#pragma once

#include <memory>

#include "pagealloc/io_engine.h"

namespace pagealloc {

/// A page file that moves its bytes with `engine`. With it the open has succeeded: a file that it
/// made stays.
Result<std::unique_ptr<PageFile>> file_on(Result<std::unique_ptr<IoEngine>> engine);

}  // namespace pagealloc
