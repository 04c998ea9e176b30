// Headers, checksums and superblocks: nothing that is not what was written is taken for it.
#include <gtest/gtest.h>

#include <cstring>
#include <string_view>
#include <vector>

#include "pagealloc/page/checksum.h"
#include "pagealloc/page/field.h"
#include "pagealloc/page/superblock.h"
#include "pagealloc/random.h"

namespace pagealloc::page {
namespace {

std::vector<std::byte> noise(std::size_t bytes, std::uint64_t seed) {
  std::vector<std::byte> all(bytes);
  Random random(seed);
  for (std::byte& byte : all) byte = static_cast<std::byte>(random.next());
  return all;
}

TEST(Checksum, is_crc32c) {
  const auto of = [](std::string_view text) { return crc32c(std::as_bytes(std::span(text))); };
  EXPECT_EQ(of("123456789"), 0xE3069283U) << "the check value of RFC 3720's CRC";
  EXPECT_EQ(of(""), 0U);
  // RFC 3720, B.4: 32 bytes of zeros, of ones, counting up.
  EXPECT_EQ(crc32c(std::vector<std::byte>(32)), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::vector<std::byte>(32, std::byte{0xff})), 0x62A8AB43U);
}

TEST(Header, fields_lie_where_the_format_says) {
  auto page = noise(512, 1);
  seal(page, {.type = Type::node, .run = 1, .page = 0x0102030405060708, .transaction = 0x1112});
  EXPECT_EQ(page[4], std::byte{4});
  EXPECT_EQ(load<std::uint64_t>(page.data() + 8), 0x0102030405060708U);
  EXPECT_EQ(page[8], std::byte{0x08}) << "little-endian";
  EXPECT_EQ(load<std::uint64_t>(page.data() + 16), 0x1112U);
  EXPECT_EQ(load<std::uint32_t>(page.data() + 24), 1U);
  EXPECT_EQ(load<std::uint32_t>(page.data()), crc32c(std::span(page).subspan(4)));
}

TEST(Header, any_flipped_bit_is_damage) {
  for (std::uint32_t page_bytes = 512; page_bytes <= 65536; page_bytes *= 2) {
    auto page = noise(page_bytes, page_bytes);
    seal(page, {.type = Type::slotted, .page = 7, .transaction = 3});
    ASSERT_TRUE(check(page, 7, page_bytes));
    for (std::size_t at = 0; at < page.size(); ++at) {
      // Every bit of the header, and one of each byte behind it.
      for (unsigned bit = at % 8; bit < (at < header_bytes ? 8U : at % 8 + 1); ++bit) {
        page[at] ^= std::byte{1} << bit;
        ASSERT_FALSE(check(page, 7, page_bytes)) << "bit " << bit << " of byte " << at;
        page[at] ^= std::byte{1} << bit;
      }
    }
    ASSERT_TRUE(check(page, 7, page_bytes));
  }
}

TEST(Header, a_page_at_anothers_place_is_damage) {
  auto page = noise(4096, 2);
  seal(page, {.type = Type::slotted, .page = 7, .transaction = 3});
  const auto found = check(page, 8, 4096);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().cause, "these are the bytes of page 7");
  EXPECT_EQ(found.error().offset_bytes, 8U);
}

TEST(Header, a_blank_page_is_damage_and_said_to_be_blank) {
  const std::vector<std::byte> page(4096);
  const auto found = check(page, 0, 4096);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().cause, "blank: never written, or punched");
}

TEST(Header, a_run_is_as_long_as_it_says) {
  auto run = noise(3 * 512, 3);
  seal(run, {.type = Type::overflow, .run = 3, .page = 7, .transaction = 3});
  ASSERT_TRUE(check(run, 7, 512));
  run[3 * 512 - 1] ^= std::byte{1};
  EXPECT_FALSE(check(run, 7, 512)) << "the last byte of the last page";
  // A good checksum, and a length that cannot be: another program's mistake.
  auto page = noise(512, 4);
  seal(page, {.type = Type::overflow, .run = 3, .page = 7, .transaction = 3});
  const auto found = check(page, 7, 512);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().cause, "a run of 3 pages, where 1 are expected");
}

TEST(Header, what_must_be_zero_is) {
  for (const std::size_t at : {5U, 6U, 7U, 28U, 29U, 30U, 31U}) {
    auto page = noise(512, 5);
    seal(page, {.type = Type::slotted, .page = 7, .transaction = 3});
    page[at] = std::byte{1};
    store(page.data(), crc32c(std::span(page).subspan(4)));
    EXPECT_FALSE(check(page, 7, 512)) << at;
  }
}

// --- The superblock -----------------------------------------------------------------------------

Superblock example(std::uint32_t page_bytes) {
  Superblock superblock{.page_bytes = page_bytes,
                        .commit = 41,
                        .pages = 1000,
                        .map_root = 17,
                        .map_checksum = 0x12345678,
                        .map_levels = 2,
                        .used_pages = 900,
                        .roots = {1, 2, 3, 4, 5, 6, 7, 8}};
  for (std::size_t i = 0; i < superblock.identity.size(); ++i) {
    superblock.identity[i] = static_cast<std::byte>(i);
  }
  return superblock;
}

TEST(Superblocks, come_back_as_they_were) {
  for (std::uint32_t page_bytes = 512; page_bytes <= 65536; page_bytes *= 2) {
    auto page = noise(page_bytes, 6);
    encode(page, 3, example(page_bytes));
    const auto found = decode(page, 3);
    ASSERT_TRUE(found) << found.error().cause;
    EXPECT_EQ(*found, example(page_bytes));
    EXPECT_EQ(page_bytes_of(page), page_bytes);
    EXPECT_FALSE(decode(page, 2)) << "page 3's";
  }
}

/// Changes a field and seals the page again, as another program would.
template <typename T>
Damage with(std::size_t at, T value) {
  std::vector<std::byte> page(4096);
  encode(page, 0, example(4096));
  store(page.data() + at, value);
  seal(page, {.type = Type::superblock, .page = 0, .transaction = 41});
  const auto found = decode(page, 0);
  return found ? Damage{.cause = "taken"} : found.error();
}

TEST(Superblocks, of_other_files_are_refused_by_name) {
  EXPECT_EQ(with(44, std::uint32_t{2}).cause, "format version 2, and only 1 is known here");
  EXPECT_EQ(with(44, std::uint32_t{2}).code, Errc::not_available);
  EXPECT_EQ(with(40, std::uint32_t{0x0d0c0b0a}).cause, "written in the other byte order");
  EXPECT_EQ(with(40, std::uint32_t{0x0d0c0b0a}).code, Errc::not_available);
  EXPECT_EQ(with(56, std::uint64_t{1}).cause, "encrypted, which is not to be read here yet");
  EXPECT_EQ(with(56, std::uint64_t{1}).code, Errc::not_available);
  EXPECT_EQ(with(56, std::uint64_t{6}).cause, "features 0x6 are not known here");
  EXPECT_EQ(with(48, std::uint32_t{8192}).cause,
            "a file of pages of 8192 bytes, opened with pages of 4096");
  EXPECT_EQ(with(48, std::uint32_t{8192}).code, Errc::bad_argument);
  EXPECT_EQ(with(32, std::uint64_t{0}).code, Errc::not_page_file);
}

TEST(Superblocks, are_damage_when_their_fields_cannot_be) {
  for (const std::size_t at : {52U, 184U, 247U, 248U, 4095U}) {
    EXPECT_EQ(with(at, std::uint8_t{1}).cause, "bytes that are to be 0 are not") << at;
  }
  EXPECT_EQ(with(80, std::uint64_t{40}).cause, "commit 40 in a page of transaction 41");
  std::vector<std::byte> page(4096);
  encode(page, 0, example(4096));
  seal(page, {.type = Type::slotted, .page = 0, .transaction = 41});
  EXPECT_EQ(decode(page, 0).error().cause, "not a superblock");
  Superblock last = example(4096);
  last.commit = UINT64_MAX;
  encode(page, 0, last);
  EXPECT_FALSE(decode(page, 0)) << "none could come after it";
}

TEST(Superblocks, of_smaller_pages_are_known_by_their_own_checksum) {
  std::vector<std::byte> page(4096);
  encode(std::span(page).first(512), 0, example(512));
  EXPECT_EQ(decode(page, 0).error().code, Errc::bad_argument);
  page[100] ^= std::byte{1};
  EXPECT_EQ(decode(page, 0).error().code, Errc::damaged);
}

TEST(Superblocks, torn_ones_are_damage_and_not_another_version) {
  std::vector<std::byte> page(4096);
  encode(page, 0, example(4096));
  for (const std::size_t at : {40U, 44U, 48U, 80U}) {
    auto torn = page;
    store(torn.data() + at, std::uint32_t{0});
    EXPECT_EQ(decode(torn, 0).error().code, Errc::damaged) << at;
  }
}

}  // namespace
}  // namespace pagealloc::page
