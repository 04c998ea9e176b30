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
    std::optional<std::size_t> missed;
    for (std::size_t at = 0; at < run.size() && !missed; ++at) {
      const std::byte was = run[at];
      run[at] ^= std::byte{1} << t.random().below(8);
      const Checked checked = page::check(run, header.page, 512);
      if (checked || checked.error().code != Errc::damaged) missed = at;
      run[at] = was;
    }
    if (t.holds(!missed)) continue;
    t.fail({.expected = fmt::format("one bit of byte {} is another one: damage", *missed),
            .found = "the run was taken for whole",
            .cause = *missed < page::header_bytes
                         ? "this byte of the header is under no checksum"
                         : "this byte of the content is under no checksum: it is over the whole "
                           "run, and not over its first page",
            .function = "check"});
  }
}

void anothers_place_is_told(Test& t) {
  for (const std::uint32_t page_bytes : {512U, 4096U}) {
    const page::Header header = random_header(t, 1);
    Guarded memory(page_bytes);
    const auto run = fill(t, memory, header).bytes();
    for (const PageId asked : {header.page - 1, header.page + 1, PageId{0}}) {
      const Checked checked = page::check(run, asked, page_bytes);
      expect_damage(t, checked, 8, 15,
                    fmt::format("the bytes of page {}, read as page {}", header.page, asked),
                    "the disk has written a page to the wrong place, or read the wrong one: its "
                    "checksum is good, its number is not the one that was asked for");
    }
  }
}

void a_blank_page_is_named(Test& t) {
  Guarded memory(4096);
  const Checked checked = page::check(memory.bytes(), 7, 4096);
  expect_damage(t, checked, 0, 31, "a page of zeros",
                "a page that was never written, or was punched, is no page that was sealed");
  const bool named = checked.error().cause.find("blank") != std::string::npos;
  if (t.holds(named)) return;
  t.fail({.expected = "a cause that calls the page blank",
          .found = checked.error().cause,
          .cause = "who reads \"checksum\" looks for a bit that flipped; a blank page is another "
                   "trouble: it was used before it was written. is_blank() tells them apart",
          .function = "check"});
}

void a_good_checksum_is_no_excuse(Test& t) {
  const page::Header header = random_header(t, 1);
  Guarded memory(512);
  const auto run = fill(t, memory, header).bytes();
  for (const std::uint32_t pages : {0U, 2U, 1U << 23, UINT32_MAX}) {
    page::store(run.data() + 24, pages);
    correct_checksum(run);
    expect_damage(t, page::check(run, header.page, 512), 24, 27,
                  fmt::format("a header that speaks of a run of {} pages, in front of 1", pages),
                  "how long the run is says the caller; the header must agree, and is believed "
                  "in nothing before that");
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
