// Any bytes whatsoever: an answer, and never a step outside of the page. The same is fuzzed for
// longer (slotted/fuzz).
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "pagealloc/page/field.h"
#include "pagealloc/random.h"
#include "pagealloc/slotted/fuzz/input.h"
#include "pagealloc/slotted/page.h"
#include "pagealloc/slotted/tests/exercise.h"

namespace pagealloc::slotted {
namespace {

/// At the end of its memory, so that a sanitizer sees the first byte behind it.
std::vector<std::byte> drawn_page(Random& random, std::uint32_t page_bytes) {
  std::vector<std::byte> bytes(page_bytes);
  switch (random.below(4)) {
    case 0:  // noise
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
      break;
    case 1:  // numbers that may be true, and noise behind them
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
      for (std::size_t at = 32; at < 40; at += 2) {
        page::store(bytes.data() + at, static_cast<std::uint16_t>(random.below(64)));
      }
      break;
    default:  // a page that is whole, and a few bytes that are not
      fill(bytes, random);
      for (std::uint64_t i = random.below(4); i > 0; --i) {
        const std::size_t at = random.one_in(2) ? 32 + random.below(60) : random.below(page_bytes);
        bytes[at] = static_cast<std::byte>(random.next());
      }
  }
  return bytes;
}

TEST(Hostile, any_bytes_get_an_answer) {
  unsigned refused = 0;
  unsigned taken = 0;
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    auto bytes = drawn_page(random, 512U << random.below(8));
    (exercise(bytes) ? taken : refused) += 1;
    exercise_layout(bytes);
  }
  EXPECT_GT(refused, 1000U);
  EXPECT_GT(taken, 1000U);
}

/// Every place that a slot can speak of: in the page, across its end, behind it.
TEST(Hostile, every_offset_of_a_slot_gets_an_answer) {
  for (const std::uint32_t page_bytes : {512U, 4096U, 65536U}) {
    std::vector<std::byte> page(page_bytes);
    Page::make(page).insert({std::vector<std::byte>(100), false});
    for (std::uint32_t offset = 0; offset <= UINT16_MAX; ++offset) {
      page::store(page.data() + slots_begin, static_cast<std::uint16_t>(offset));
      const bool is_there = offset == page_bytes - 100;
      ASSERT_EQ(PageView::open(page).has_value(), is_there) << page_bytes << ", " << offset;
      ASSERT_EQ(exercise(page), is_there) << page_bytes << ", " << offset;
    }
  }
}

/// What the fuzzers have found worth keeping, where there is no clang to run them.
TEST(Hostile, the_corpus_of_the_fuzzers_gets_answers) {
  unsigned inputs = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(PAGEALLOC_CORPUS)) {
    if (!entry.is_regular_file()) continue;
    SCOPED_TRACE(entry.path());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    auto page = page_of(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    exercise_layout(page);
    (void)exercise(page);
    ++inputs;
  }
  EXPECT_GT(inputs, 100U) << "in " PAGEALLOC_CORPUS;
}

}  // namespace
}  // namespace pagealloc::slotted
