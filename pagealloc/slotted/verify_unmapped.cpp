#include "pagealloc/slotted/findings.h"
#include "pagealloc/slotted/layout.h"

namespace pagealloc::slotted {

namespace {

using Bytes = std::span<const std::byte>;

class UnmappedWalk {
 public:
  UnmappedWalk(PageFile& file, const Error& why, const Witness& witness)
      : file_(file), why_(why), findings_(file, witness) {}

  Result<Verified> all() {
    findings_.complain(why_);
    for (PageId page = 0; page < file_.pages();) {
      const auto run = look_at(page);
      if (!run) return std::unexpected(run.error());
      page += *run;
    }
    return findings_.verified();
  }

 private:
  /// Returns how many pages these were.
  Result<std::uint32_t> look_at(PageId page) {
    auto bytes = page::read_raw(file_, page, 1);
    if (bytes && page < page::superblocks) return look_at_superblock(page, bytes->bytes());
    // In the middle of a run, and where nobody has written, anything may stand.
    const std::uint32_t run = bytes ? page::claimed_run(file_, page, bytes->bytes()) : 1;
    if (run == 0) {
      findings_.found(page, 1, Condition::unknown, {});
      return 1;
    }
    if (run > 1) bytes = page::read_raw(file_, page, run);
    if (!bytes) {
      if (bytes.error().code != Errc::io) return std::unexpected(bytes.error());
      return damaged(bytes.error(), {});
    }
    return look_at_run(page, bytes->bytes());
  }

  std::uint32_t look_at_superblock(PageId page, Bytes bytes) {
    if (const auto whole = page::decode(bytes, page); !whole) {
      Error error = page::error_of(file_, page, whole.error());
      error.code = Errc::damaged;  // whatever it might be at the beginning of another file
      return damaged(error, bytes);
    }
    findings_.found(page, 1, Condition::superblock, bytes);
    return 1;
  }

  std::uint32_t look_at_run(PageId page, Bytes bytes) {
    const std::uint32_t page_bytes = file_.geometry().page_bytes;
    const auto header = page::check(bytes, page, page_bytes);
    const auto wrong = header ? wrong_content(bytes, header->type, page_bytes)
                              : std::optional<page::Damage>(header.error());
    if (wrong) {
      Error error = page::error_of(file_, page, *wrong);
      error.cause += "; the free map cannot tell whether the page is in use";
      return damaged(error, bytes.first(page_bytes));
    }
    const auto run = static_cast<std::uint32_t>(bytes.size() / page_bytes);
    findings_.found(page, run, condition_of(header->type), bytes);
    return run;
  }

  /// The pages behind it are looked at by themselves: its length may be what is wrong.
  std::uint32_t damaged(const Error& error, Bytes bytes) {
    if (error.page != why_.page) findings_.complain(error);
    findings_.found(*error.page, 1, Condition::damaged, bytes);
    return 1;
  }

  PageFile& file_;
  const Error& why_;
  Findings findings_;
};

}  // namespace

Result<Verified> verify_unmapped(PageFile& file, const Error& why, const Witness& witness) {
  return UnmappedWalk(file, why, witness).all();
}

}  // namespace pagealloc::slotted
