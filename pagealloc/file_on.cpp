#include "pagealloc/file_on.h"

#include "pagealloc/plain_file.h"

namespace pagealloc {

Result<std::unique_ptr<PageFile>> file_on(Result<std::unique_ptr<IoEngine>> engine) {
  if (!engine) return std::unexpected(engine.error());
  SharedFile& shared = (*engine)->shared();
  auto file = PlainFile::make(std::move(*engine));
  if (file) shared.keep();
  return file;
}

}  // namespace pagealloc
