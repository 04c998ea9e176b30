// Task 1: what seal() leaves in the first bytes of a run.
#include <fmt/format.h>

#include <algorithm>

#include "labs/07_slotted/tests/common.h"
#include "labs/07_slotted/tests/sealed.h"
#include "labs/07_slotted/tests/tests.h"

namespace pagealloc::labs {

namespace {

struct Place {
  const char* name;
  std::size_t offset;
  std::size_t bytes;
  std::uint64_t expected;
};

std::uint64_t number(std::span<const std::byte> bytes, std::size_t offset, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = count; i-- > 0;) {
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[offset + i]);
  }
  return value;
}

}  // namespace

void fields_are_in_their_places(Test& t) {
  const page::Header header = random_header(t, 1);
  Guarded memory(512);
  const auto run = memory.bytes();
  for (std::byte& byte : run) byte = static_cast<std::byte>(1 + t.random().below(255));
  const auto before = copy_of(run);
  page::seal(run, header);
  const std::string zeros =
      "the page was another one's before: seal() writes all 32 bytes, those that are to be 0 too";
  const std::string little = "fields are little-endian; store() of page/field.h does that";
  for (const Place& place :
       {Place{"type", 4, 1, static_cast<std::uint64_t>(header.type)}, Place{"zero", 5, 3, 0},
        Place{"page", 8, 8, header.page}, Place{"transaction", 16, 8, header.transaction},
        Place{"run", 24, 4, header.run}, Place{"zero", 28, 4, 0}}) {
    const std::uint64_t found = number(run, place.offset, place.bytes);
    if (t.holds(found == place.expected)) continue;
    t.fail({.expected = fmt::format("{} at offset {}, {}: {:#x}", place.name, place.offset,
                                    bytes_text(place.bytes), place.expected),
            .found = fmt::format("{:#x}", found),
            .cause = place.expected == 0 ? zeros : little,
            .function = "seal"});
  }
  const bool content_stays = std::equal(run.begin() + 32, run.end(), before.begin() + 32);
  if (!t.holds(content_stays && memory.untouched())) {
    t.fail({.expected = "what is behind the header stays as it was",
            .found = "it was changed",
            .cause = "the content is the caller's; seal() writes the first 32 bytes",
            .function = "seal"});
  }
  constexpr std::uint32_t many = (1U << 16) + 1;
  Guarded large(std::size_t{512} * many);
  page::seal(large.bytes(), random_header(t, many));
  if (!t.holds(number(large.bytes(), 24, 4) == many)) {
    t.fail({.expected = fmt::format("run at offset 24, 4 bytes: {}", many),
            .found = fmt::format("{}", number(large.bytes(), 24, 4)),
            .cause = "a run may have more pages than 16 bits can count",
            .function = "seal"});
  }
}

void checksum_is_over_everything(Test& t) {
  for (const std::uint32_t page_bytes : {512U, 4096U, 65536U}) {
    for (const std::uint32_t pages : {1U, 3U}) {
      const page::Header header = random_header(t, pages);
      Guarded memory(std::size_t{page_bytes} * pages);
      const auto run = memory.bytes();
      for (std::byte& byte : run) byte = static_cast<std::byte>(t.random().next());
      page::seal(run, header);
      const auto found = static_cast<std::uint32_t>(number(run, 0, 4));
      const std::uint32_t expected = page::crc32c(run.subspan(4));
      if (t.holds(found == expected)) continue;
      t.fail({.expected = fmt::format("checksum {:08x}: CRC32C of bytes 4 to {}, {} of {}",
                                      expected, run.size() - 1,
                                      pages == 1 ? "a page" : "a run of 3 pages", page_bytes),
              .found = fmt::format("{:08x}: {}", found, what_it_is_of(run, found, page_bytes)),
              .cause = "the checksum is over all that is behind it: the other fields of the "
                       "header, the page's own number among them, and the content to the end of "
                       "the run. So the fields must stand there before it is computed",
              .function = "seal"});
    }
  }
}

}  // namespace pagealloc::labs
