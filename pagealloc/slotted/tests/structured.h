// A small structured file with a page of every type, on a simulated machine.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pagealloc/open.h"
#include "pagealloc/os/sim/kernel.h"
#include "pagealloc/slotted/node.h"
#include "pagealloc/slotted/overflow.h"
#include "pagealloc/slotted/page.h"
#include "pagealloc/slotted/verify.h"

namespace pagealloc::slotted {

class Structured {
 public:
  explicit Structured(std::uint32_t page_bytes = 512, const char* impl = "pread")
      : page_bytes_(page_bytes), impl_(impl) {
    auto file = open(false);
    auto allocator = page::Allocator::format(*file, page::Identity{});
    EXPECT_TRUE(allocator) << allocator.error().text();
    const std::string large(3 * page_bytes, 'L');
    const auto reference = write_overflow(*allocator, std::as_bytes(std::span(large)));
    EXPECT_TRUE(reference) << reference.error().text();
    overflow_ = reference->page;
    slotted_ = write(*file, *allocator, page::Type::slotted, [&](auto bytes) {
      Page page = Page::make(bytes);
      for (const char* text : {"one", "two", "", "three"}) {
        (void)page.insert({std::as_bytes(std::span(std::string_view(text))), false});
      }
      const ReferenceBytes encoded = encode(*reference);
      (void)page.insert({encoded, true});
      (void)page.erase(1);
    });
    node_ = write(*file, *allocator, page::Type::node, [](auto bytes) {
      Node node = Node::make(bytes);
      for (const char* text : {"apple", "apricot", "avocado"}) {
        const auto key = std::as_bytes(std::span(std::string_view(text)));
        (void)node.insert(key, {key, false});
      }
      node.compact();
    });
    // Some pages that were in use, of which two are given back.
    std::vector<PageId> gone;
    for (unsigned i = 0; i < 4; ++i) {
      gone.push_back(
          write(*file, *allocator, page::Type::slotted, [](auto bytes) { Page::make(bytes); }));
    }
    EXPECT_TRUE(allocator->commit());
    for (const PageId page : gone) EXPECT_TRUE(allocator->free(page));
    EXPECT_TRUE(allocator->commit());
    punched_ = gone.front();
    const auto punched = allocator->punch(punched_, 2);
    EXPECT_TRUE(punched) << punched.error().text();
  }

  std::unique_ptr<PageFile> open(bool read_only) {
    Options options;
    options.impl = impl_;
    options.page_bytes = page_bytes_;
    options.create = !read_only;
    options.read_only = read_only;
    options.kernel = &kernel_;
    options.depth = 4;
    options.frames = 8;
    if (options.impl == "mmap") options.map_reserve_bytes = 1U << 20;
    auto file = pagealloc::open("/structured.pa", options);
    EXPECT_TRUE(file) << file.error().text();
    return std::move(*file);
  }
  /// What verify says, whether or not the file can be opened. Changes nothing.
  std::vector<Error> violations() { return verified().second; }
  std::pair<Verified, std::vector<Error>> verified() {
    std::vector<Error> all;
    const auto file = open(true);
    const auto allocator = page::Allocator::open(*file);
    const Witness witness{.violation = [&](const Error& error) { all.push_back(error); }};
    const auto verified = allocator ? verify(*allocator, witness)
                                    : verify_unmapped(*file, allocator.error(), witness);
    EXPECT_TRUE(verified) << verified.error().text();
    EXPECT_EQ(verified->violations, all.size());
    return {*verified, all};
  }
  std::vector<std::byte> read(PageId page) {
    const auto file = open(true);
    const auto raw = page::read_raw(*file, page, 1);
    EXPECT_TRUE(raw);
    return {raw->bytes().begin(), raw->bytes().end()};
  }
  void overwrite(PageId page, const std::vector<std::byte>& bytes) {
    const auto file = open(false);
    ASSERT_TRUE(write_page(*file, page, bytes));
  }
  /// As another program would write it: with a good checksum.
  void overwrite_sealed(PageId page, std::vector<std::byte> bytes) {
    page::seal(bytes, page::header_of(bytes));
    overwrite(page, bytes);
  }

  PageId overflow_ = 0;  // the first page of it
  PageId slotted_ = 0;
  PageId node_ = 0;
  PageId punched_ = 0;  // and the one behind it

 private:
  template <typename Fill>
  static PageId write(PageFile& file, page::Allocator& allocator, page::Type type, Fill fill) {
    const auto page = allocator.allocate();
    EXPECT_TRUE(page);
    page::Buffer buffer(file.geometry().page_bytes, 1);
    fill(buffer.bytes());
    EXPECT_TRUE(page::write(file, buffer,
                            {.type = type, .page = *page, .transaction = allocator.transaction()}));
    return *page;
  }

  os::sim::SimKernel kernel_{{}};
  std::uint32_t page_bytes_;
  std::string impl_;
};

}  // namespace pagealloc::slotted
