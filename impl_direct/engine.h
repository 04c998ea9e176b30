// Page files through O_DIRECT: the same calls as pread, without the page cache.
#pragma once

#include <string_view>

#include "pagealloc/io_engine.h"

namespace pagealloc::impl_direct {

/// Opens `path` with O_DIRECT, which Options::direct may soften to `attempt`.
Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options);

class Engine final : public IoEngine {
 public:
  static Result<std::unique_ptr<IoEngine>> make(std::shared_ptr<SharedFile> shared);
  using IoEngine::IoEngine;
  Result<std::unique_ptr<IoEngine>> another() noexcept override;
  void begin(Op& op) noexcept override;
};

}  // namespace pagealloc::impl_direct
