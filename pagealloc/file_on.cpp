#include "pagealloc/file_on.h"

#include "pagealloc/cache/file.h"
#include "pagealloc/plain_file.h"

namespace pagealloc {

Result<std::unique_ptr<PageFile>> file_on(Result<std::unique_ptr<IoEngine>> engine) {
  if (!engine) return std::unexpected(engine.error());
  SharedFile& shared = (*engine)->shared();
  auto file = shared.options().cache.bytes == 0 ? PlainFile::make(std::move(*engine))
                                                : cache::File::open(std::move(*engine));
  if (file) shared.keep();
  return file;
}

}  // namespace pagealloc
