// Task 2: what check() says of a run.
#include <fmt/format.h>

#include <algorithm>

#include "labs/07_slotted/tests/common.h"
#include "labs/07_slotted/tests/sealed.h"
#include "labs/07_slotted/tests/tests.h"
#include "pagealloc/page/field.h"

namespace pagealloc::labs {

namespace {

using Checked = std::expected<page::Header, page::Damage>;

std::string text_of(const Checked& checked) {
  if (!checked) {
    return fmt::format("damage at byte {}: {}", checked.error().offset_bytes,
                       checked.error().cause);
  }
  return fmt::format("{} of page {}, transaction {}, run {}", name_of(checked->type), checked->page,
                     checked->transaction, checked->run);
}

/// Damage at one of these bytes. One check.
void expect_damage(Test& t, const Checked& checked, std::uint64_t first, std::uint64_t last,
                   const std::string& what, const std::string& cause) {
  const bool good = !checked && checked.error().code == Errc::damaged &&
                    checked.error().offset_bytes >= first && checked.error().offset_bytes <= last &&
                    !checked.error().cause.empty();
  if (t.holds(good)) return;
  t.fail({.expected = fmt::format(
              "{}: damage at byte {}", what,
              first == last ? fmt::format("{}", first) : fmt::format("{} to {}", first, last)),
          .found = text_of(checked),
          .cause = cause,
          .function = "check"});
}

/// Bytes that are no page of anybody's: at its checksum, and not called blank. One check.
void expect_other_checksum(Test& t, std::span<const std::byte> run, PageId page,
                           const std::string& what, const std::string& cause) {
  const Checked checked = page::check(run, page, 512);
  const bool blank = !checked && checked.error().cause.find("blank") != std::string::npos;
  const bool good = !checked && checked.error().code == Errc::damaged &&
                    checked.error().offset_bytes < 4 && !blank;
  if (t.holds(good)) return;
  const bool misplaced = !checked && !blank;
  t.fail({.expected = fmt::format("{}: damage at byte 0, of a page that is not blank", what),
          .found = checked ? "the run was taken for whole" : text_of(checked),
          .cause = blank ? "blank is a run of zeros, all of it: one that has anything in it was "
                           "written, and is damaged"
                   : misplaced ? "the checksum comes first: as long as it differs, no other field "
                                 "says anything"
                               : cause,
          .function = "check"});
}

constexpr const char* believed =
    "the run's length in the header was believed: how long the run is says the caller";

/// A page of random bytes, sealed by hand.
Guarded& fill(Test& t, Guarded& memory, const page::Header& header) {
  for (std::byte& byte : memory.bytes()) byte = static_cast<std::byte>(t.random().next());
  seal_by_hand(memory.bytes(), header);
  return memory;
}

}  // namespace

void what_was_sealed_is_taken(Test& t) {
  for (const std::uint32_t page_bytes : {512U, 4096U, 65536U}) {
    for (const std::uint32_t pages : {1U, 3U}) {
      const page::Header header = random_header(t, pages);
      Guarded memory(std::size_t{page_bytes} * pages);
      const Checked checked = page::check(fill(t, memory, header).bytes(), header.page, page_bytes);
      const bool same = checked && checked->type == header.type && checked->page == header.page &&
                        checked->run == header.run && checked->transaction == header.transaction;
      if (t.holds(same)) continue;
      t.fail({.expected = text_of(Checked(header)),
              .found = text_of(checked),
              .cause = "a run that is whole was refused, or its header was read wrongly",
              .function = "check"});
    }
  }
}

void every_byte_that_changes_is_told(Test& t) {
  for (const std::uint32_t pages : {1U, 2U}) {
    const page::Header header = random_header(t, pages);
    Guarded memory(std::size_t{512} * pages);
    const auto run = fill(t, memory, header).bytes();
    t.expect_trouble(believed);
    for (std::size_t at = 0; at < run.size(); ++at) {
      const std::byte was = run[at];
      run[at] ^= std::byte{1} << t.random().below(8);
      expect_other_checksum(
          t, run, header.page, fmt::format("one bit of byte {} is another one", at),
          at < page::header_bytes ? "this byte of the header is under no checksum"
                                  : "this byte of the content is under no checksum: it is over the "
                                    "whole run, and not over its first page");
      run[at] = was;
    }
  }
}

void anothers_place_is_told(Test& t) {
  for (const std::uint32_t page_bytes : {512U, 4096U}) {
    const page::Header header = random_header(t, 1);
    Guarded memory(page_bytes);
    const auto run = fill(t, memory, header).bytes();
    for (const PageId asked : {header.page - 1, header.page + 1, PageId{0},
                               header.page ^ PageId{1} << 32, header.page ^ PageId{1} << 63}) {
      const Checked checked = page::check(run, asked, page_bytes);
      expect_damage(t, checked, 8, 15,
                    fmt::format("the bytes of page {}, read as page {}", header.page, asked),
                    "the disk has written a page to the wrong place, or read the wrong one: its "
                    "checksum is good, its number is not the one that was asked for");
    }
  }
}

void a_blank_page_is_named(Test& t) {
  t.expect_trouble(believed);
  Guarded memory(4096);
  const Checked checked = page::check(memory.bytes(), 7, 4096);
  expect_damage(t, checked, 0, 31, "a page of zeros",
                "a page that was never written, or was punched, is no page that was sealed");
  const bool named = checked.error().cause.find("blank") != std::string::npos;
  if (!t.holds(named)) {
    t.fail({.expected = "a cause that calls the page blank",
            .found = checked.error().cause,
            .cause = "who reads \"checksum\" looks for a bit that flipped; a blank page is another "
                     "trouble: it was used before it was written. is_blank() tells them apart",
            .function = "check"});
  }
  Guarded other(1024);
  for (const std::size_t at : {4U, 8U, 31U, 511U, 512U, 1023U}) {
    other.bytes()[at] = std::byte{1};
    expect_other_checksum(t, other.bytes(), 0,
                          fmt::format("a run of two pages, zeros but for its byte {}", at),
                          "these bytes were never sealed");
    other.bytes()[at] = std::byte{0};
  }
}

void a_good_checksum_is_no_excuse(Test& t) {
  const page::Header header = random_header(t, 1);
  Guarded memory(512);
  const auto run = fill(t, memory, header).bytes();
  t.expect_trouble(believed);
  const auto expect_run = [&](std::span<std::byte> bytes, std::uint32_t said) {
    page::store(bytes.data() + 24, said);
    correct_checksum(bytes);
    expect_damage(t, page::check(bytes, header.page, 512), 24, 27,
                  fmt::format("a header that speaks of a run of {} pages, in front of {}", said,
                              bytes.size() / 512),
                  "how long the run is says the caller; the header must agree, to the last bit, "
                  "and is believed in nothing before that");
  };
  for (const std::uint32_t said : {0U, 2U, (1U << 16) + 1, 1U << 23, (1U << 23) + 1, UINT32_MAX}) {
    expect_run(run, said);
  }
  Guarded three(std::size_t{3} * 512);
  seal_by_hand(three.bytes(), header);
  for (const std::uint32_t said : {0U, 1U, 2U, 4U, (1U << 16) + 3, (1U << 23) + 3}) {
    expect_run(three.bytes(), said);
  }
  for (const std::size_t zero : {5U, 6U, 7U, 28U, 29U, 30U, 31U}) {
    seal_by_hand(run, header);
    run[zero] = static_cast<std::byte>(1 + t.random().below(255));
    correct_checksum(run);
    expect_damage(t, page::check(run, header.page, 512), zero, zero,
                  fmt::format("byte {}, which is to be 0, is not, under a good checksum", zero),
                  "what is 0 today means something to a program of tomorrow, which this one "
                  "does not understand: a byte that is to be 0 is checked");
  }
}

}  // namespace pagealloc::labs
