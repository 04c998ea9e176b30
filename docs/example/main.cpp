// Writes a page durably through one implementation and reads it back through another; then eight
// reads at once, which is what the interface is for.
#include <pagealloc/open.h>

#include <array>
#include <cstdio>
#include <string_view>

namespace {

int complain(const pagealloc::Error& error) {
  std::fprintf(stderr, "%s\n", error.text().c_str());
  return 1;
}

/// Eight operations in flight together, collected as they come.
bool read_eight(pagealloc::PageFile& file) {
  std::array<pagealloc::Op, 8> ops;
  std::array<pagealloc::Op*, 8> batch;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    ops[i].page = i;
    batch[i] = &ops[i];
  }
  std::size_t left = file.submit(batch);
  bool good = left == ops.size();
  while (left > 0) {
    std::array<pagealloc::Op*, 8> done;
    const std::size_t count = file.reap(done, 1);
    for (std::size_t i = 0; i < count; ++i) {
      good = good && done[i]->result == pagealloc::Errc::ok;
      file.release(done[i]->frame, done[i]->run);
    }
    left -= count;
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string_view text = "hello";
  auto file = pagealloc::open(argv[1], {.create = true});
  if (!file) return complain(file.error());
  if (auto grown = (*file)->resize(8); !grown) return complain(grown.error());
  if (auto wrote = pagealloc::write_page(**file, 5, std::as_bytes(std::span(text))); !wrote) {
    return complain(wrote.error());
  }
  if (auto durable = pagealloc::sync(**file); !durable) return complain(durable.error());

  auto other = pagealloc::open(argv[1], {.impl = "mmap", .read_only = true});
  if (!other) return complain(other.error());
  auto page = pagealloc::read_page(**other, 5);
  if (!page) return complain(page.error());
  std::printf("%.5s\n", reinterpret_cast<const char*>(page->bytes().data()));
  return read_eight(**other) ? 0 : 1;
}
