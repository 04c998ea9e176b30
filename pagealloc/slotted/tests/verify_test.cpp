// Every byte of a small file, and every page at every other one's place: what is not what was
// written is found, by all who read it.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "pagealloc/slotted/tests/structured.h"

namespace pagealloc::slotted {
namespace {

/// The pages in use, and those that are punched, each with the first page of its run.
std::vector<std::pair<PageId, PageId>> live_pages(Structured& structured) {
  const auto file = structured.open(true);
  const auto allocator = page::Allocator::open(*file);
  std::vector<std::pair<PageId, PageId>> pages;
  PageId first = 0;
  for (PageId page = 0; page < allocator->pages(); ++page) {
    const page::State state = allocator->state(page);
    if (state == page::State::free) continue;
    if (state != page::State::inside) first = page;
    pages.emplace_back(page, first);
  }
  return pages;
}

bool names(const std::vector<Error>& violations, PageId page) {
  return std::ranges::any_of(violations, [page](const Error& error) {
    return error.page == page && error.code == Errc::damaged;
  });
}

TEST(Verify, finds_nothing_in_a_file_that_is_whole) {
  for (const char* impl : {"pread", "mmap", "direct", "uring"}) {
    Structured structured(4096, impl);
    for (const Error& error : structured.violations()) ADD_FAILURE() << error.text();
  }
}

TEST(Verify, counts_what_there_is) {
  Structured structured;
  const auto file = structured.open(true);
  const auto allocator = page::Allocator::open(*file);
  const auto verified = verify(*allocator, {});
  ASSERT_TRUE(verified);
  const auto count = [&](Condition condition) {
    return verified->pages[static_cast<std::size_t>(condition)];
  };
  EXPECT_EQ(count(Condition::superblock), 4U);
  EXPECT_EQ(count(Condition::map), 1U);
  EXPECT_EQ(count(Condition::slotted), 1U);
  EXPECT_EQ(count(Condition::node), 1U);
  EXPECT_EQ(count(Condition::overflow), 4U) << "a record of 3 pages and its header";
  EXPECT_EQ(count(Condition::punched), 2U);
  EXPECT_EQ(count(Condition::damaged), 0U);
  EXPECT_EQ(count(Condition::free), allocator->pages() - 13);
}

TEST(Verify, finds_every_byte_that_changes) {
  Structured structured;
  for (const auto& [page, first] : live_pages(structured)) {
    const auto whole = structured.read(page);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      auto changed = whole;
      changed[at] ^= std::byte{1} << at % 8;
      structured.overwrite(page, changed);
      ASSERT_TRUE(names(structured.violations(), first)) << "byte " << at << " of page " << page;
    }
    structured.overwrite(page, whole);
  }
  EXPECT_TRUE(structured.violations().empty());
}

TEST(Verify, finds_every_page_at_anothers_place) {
  Structured structured;
  const auto pages = live_pages(structured);
  for (const auto& [page, first] : pages) {
    const auto whole = structured.read(page);
    for (const auto& [other, ignored] : pages) {
      const auto bytes = structured.read(other);
      if (bytes == whole) continue;  // two blank ones
      structured.overwrite(page, bytes);
      ASSERT_TRUE(names(structured.violations(), first)) << other << " at the place of " << page;
    }
    structured.overwrite(page, whole);
  }
  EXPECT_TRUE(structured.violations().empty());
}

// --- Where the free map is damaged

std::uint64_t count_of(const Verified& verified, Condition condition) {
  return verified.pages[static_cast<std::size_t>(condition)];
}

PageId map_page(Structured& structured) {
  const auto file = structured.open(true);
  return page::Allocator::open(*file)->superblock().map_root;
}

void flip(std::vector<std::byte>& bytes, std::size_t at) { bytes[at] ^= std::byte{1} << at % 8; }

TEST(Verify, looks_at_each_page_where_the_free_map_is_damaged) {
  Structured structured;
  const PageId map = map_page(structured);
  auto bytes = structured.read(map);
  flip(bytes, 100);
  structured.overwrite(map, bytes);
  const auto [verified, violations] = structured.verified();
  ASSERT_EQ(violations.size(), 1U) << violations.back().text();
  EXPECT_EQ(violations.front().page, map);
  EXPECT_EQ(count_of(verified, Condition::superblock), 4U);
  EXPECT_EQ(count_of(verified, Condition::node), 1U);
  EXPECT_EQ(count_of(verified, Condition::overflow), 4U);
  EXPECT_EQ(count_of(verified, Condition::damaged), 1U);
  EXPECT_EQ(count_of(verified, Condition::slotted), 2U) << "the one, and one that was freed";
  EXPECT_EQ(count_of(verified, Condition::map), 2U) << "older ones, which were freed";
  EXPECT_EQ(count_of(verified, Condition::free) + count_of(verified, Condition::punched), 0U);
  EXPECT_EQ(std::reduce(verified.pages.begin(), verified.pages.end()),
            structured.open(true)->pages());
}

TEST(Verify, finds_every_byte_that_changes_beside_a_damaged_map) {
  Structured structured;
  const auto pages = live_pages(structured);
  const PageId map = map_page(structured);
  auto bytes = structured.read(map);
  flip(bytes, 100);
  structured.overwrite(map, bytes);
  const Verified before = structured.verified().first;
  const std::vector<std::pair<PageId, Condition>> looked_at = {
      {0, Condition::superblock},
      {structured.slotted_, Condition::slotted},
      {structured.node_, Condition::node},
      {structured.overflow_, Condition::overflow},
      {structured.overflow_ + 2, Condition::overflow}};
  for (const auto& [page, condition] : looked_at) {
    const auto whole = structured.read(page);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      auto changed = whole;
      flip(changed, at);
      structured.overwrite(page, changed);
      const auto [verified, violations] = structured.verified();
      const PageId first = condition == Condition::overflow ? structured.overflow_ : page;
      // Type, number and run: who does not say any more that it is this page may be anything.
      const bool is_lost = page == first && page >= page::superblocks && at >= 4 && at < 28;
      ASSERT_TRUE(names(violations, map));
      ASSERT_TRUE(names(violations, first) || is_lost) << "byte " << at << " of page " << page;
      ASSERT_LT(count_of(verified, condition), count_of(before, condition))
          << "byte " << at << " of page " << page;
    }
    structured.overwrite(page, whole);
  }
}

/// The same damage, met by who reads the page and not by verify.
bool is_told(Structured& structured, PageId page) {
  const auto file = structured.open(true);
  const auto allocator = page::Allocator::open(*file);
  if (!allocator) return allocator.error().code == Errc::damaged;
  if (page < page::superblocks) return !allocator->damaged().empty();
  if (page == structured.slotted_) return !page::read(*file, page, page::Type::slotted);
  if (page == structured.node_) return !page::read(*file, page, page::Type::node);
  return !read_overflow(*file, {structured.overflow_, 3 * 512});
}

/// What is read at all: a punched page has nothing to say.
std::vector<std::pair<PageId, PageId>> read_pages(Structured& structured) {
  auto pages = live_pages(structured);
  std::erase_if(pages, [&](const auto& each) {
    return each.second >= structured.punched_ && each.second < structured.punched_ + 2;
  });
  return pages;
}

TEST(Reading, tells_every_byte_that_changes) {
  Structured structured;
  for (const auto& [page, first] : read_pages(structured)) {
    ASSERT_FALSE(is_told(structured, page)) << "page " << page << " is whole";
    const auto whole = structured.read(page);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      auto changed = whole;
      changed[at] ^= std::byte{0x80} >> at % 8;
      structured.overwrite(page, changed);
      ASSERT_TRUE(is_told(structured, page)) << "byte " << at << " of page " << page;
    }
    structured.overwrite(page, whole);
  }
}

TEST(Reading, tells_every_page_at_anothers_place) {
  Structured structured;
  for (const auto& [page, first] : read_pages(structured)) {
    const auto whole = structured.read(page);
    for (const auto& [other, ignored] : live_pages(structured)) {
      const auto bytes = structured.read(other);
      if (bytes == whole) continue;
      structured.overwrite(page, bytes);
      ASSERT_TRUE(is_told(structured, page)) << other << " at the place of " << page;
    }
    structured.overwrite(page, whole);
  }
}

// --- What has a good checksum and is wrong

std::string only_violation(Structured& structured) {
  const auto all = structured.violations();
  std::string text;
  for (const Error& error : all) text += error.text() + "\n";
  return text;
}

TEST(Verify, finds_what_another_program_wrote_wrongly) {
  Structured structured;
  auto bytes = structured.read(structured.slotted_);
  bytes[36] = std::byte{9};
  structured.overwrite_sealed(structured.slotted_, bytes);
  EXPECT_NE(only_violation(structured).find("9 of fragments"), std::string::npos)
      << only_violation(structured);
}

TEST(Verify, finds_references_that_lead_nowhere) {
  Structured structured;
  auto bytes = structured.read(structured.slotted_);
  auto page = Page::open(bytes);
  ASSERT_TRUE(page);
  const ReferenceBytes nowhere = encode({structured.node_, 1536});
  ASSERT_TRUE(page->update(4, {nowhere, true}));
  structured.overwrite_sealed(structured.slotted_, bytes);
  const std::string found = only_violation(structured);
  EXPECT_NE(found.find("slot 4 refers to page 10, where no record is"), std::string::npos) << found;
  EXPECT_NE(found.find("in use, and no record refers to it"), std::string::npos) << found;
}

TEST(Verify, finds_a_record_that_two_refer_to) {
  Structured structured;
  auto bytes = structured.read(structured.slotted_);
  auto page = Page::open(bytes);
  ASSERT_TRUE(page);
  const ReferenceBytes same = encode({structured.overflow_, 1536});
  ASSERT_TRUE(page->insert({same, true}));
  structured.overwrite_sealed(structured.slotted_, bytes);
  EXPECT_NE(only_violation(structured).find("2 records refer to it"), std::string::npos);
}

TEST(Verify, finds_pages_of_transactions_that_never_were) {
  Structured structured;
  auto bytes = structured.read(structured.node_);
  page::store(bytes.data() + 16, std::uint64_t{99});
  structured.overwrite_sealed(structured.node_, bytes);
  EXPECT_NE(only_violation(structured).find("of transaction 99, where 3 was the last commit"),
            std::string::npos)
      << only_violation(structured);
}

TEST(Overflow, comes_back_as_it_was) {
  Structured structured;
  const auto file = structured.open(false);
  auto allocator = page::Allocator::open(*file);
  ASSERT_TRUE(allocator);
  // On both sides of whole pages, and more than there are frames.
  for (const std::size_t bytes : {0U, 1U, 471U, 472U, 473U, 984U, 985U, 20'000U}) {
    std::vector<std::byte> record(bytes);
    for (std::size_t i = 0; i < bytes; ++i) record[i] = static_cast<std::byte>(i * 7);
    const auto reference = write_overflow(*allocator, record);
    ASSERT_TRUE(reference) << reference.error().text();
    EXPECT_EQ(allocator->run_of(reference->page), (40 + bytes + 511) / 512);
    const auto back = read_overflow(*file, *reference);
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(*back, record);
    const auto other = read_overflow(*file, {reference->page, bytes + 1});
    EXPECT_FALSE(other) << "a record of another length";
  }
  EXPECT_EQ(read_overflow(*file, {1'000'000, 5}).error().code, Errc::damaged);
  EXPECT_EQ(read_overflow(*file, {UINT64_MAX, UINT64_MAX}).error().code, Errc::damaged);
}

}  // namespace
}  // namespace pagealloc::slotted
