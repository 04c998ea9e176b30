#include "pagealloc/slotted/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "pagealloc/slotted/findings.h"
#include "pagealloc/slotted/layout.h"
#include "pagealloc/slotted/node.h"
#include "pagealloc/slotted/overflow.h"
#include "pagealloc/slotted/page.h"

namespace pagealloc::slotted {

namespace {

using Bytes = std::span<const std::byte>;

class Walk {
 public:
  Walk(const page::Allocator& allocator, const Witness& witness)
      : allocator_(allocator), file_(allocator.file()), findings_(file_, witness) {}

  Result<Verified> all() {
    for (const Error& error : allocator_.damaged()) findings_.complain(error);
    for (PageId page = 0; page < allocator_.pages();) {
      const auto next = look_at(page);
      if (!next) return std::unexpected(next.error());
      page = *next;
    }
    check_references();
    check_roots();
    return findings_.verified();
  }

 private:
  struct Referrer {
    PageId page;
    std::uint32_t slot;
    std::uint64_t bytes;  ///< that it expects
  };

  /// Returns the page after it, or after its run.
  Result<PageId> look_at(PageId page) {
    const page::State state = allocator_.state(page);
    if (state == page::State::free) {
      findings_.found(page, 1, Condition::free, {});
      return page + 1;
    }
    const std::uint32_t run = state == page::State::punched ? 1 : allocator_.run_of(page);
    const auto bytes = page::read_raw(file_, page, run);
    if (!bytes) {
      // A sector that cannot be read is what is looked for; a file that was cut off ends it.
      if (bytes.error().code != Errc::io) return std::unexpected(bytes.error());
      findings_.complain(bytes.error());
      findings_.found(page, run, Condition::damaged, {});
    } else if (state == page::State::punched) {
      if (!page::is_blank(bytes->bytes())) findings_.complain(page, 0, "punched, and not blank");
      findings_.found(page, 1, Condition::punched, {});
    } else {
      findings_.found(page, run, look_at_run(page, bytes->bytes()), bytes->bytes());
    }
    return page + run;
  }

  Condition look_at_run(PageId page, Bytes bytes) {
    const std::uint32_t page_bytes = file_.geometry().page_bytes;
    const auto header = page::check(bytes, page, page_bytes);
    if (!header) {
      // A copy of the superblock was looked at, and complained of, when the file was opened.
      if (page >= page::superblocks)
        findings_.complain(page::error_of(file_, page, header.error()));
      return Condition::damaged;
    }
    auto wrong = wrong_use(page, *header);
    if (!wrong) wrong = wrong_content(bytes, header->type, page_bytes);
    if (wrong) {
      findings_.complain(page::error_of(file_, page, *wrong));
      return Condition::damaged;
    }
    gather_references(page, header->type, bytes);
    return condition_of(header->type);
  }

  std::optional<page::Damage> wrong_use(PageId page, const page::Header& header) const {
    constexpr std::uint64_t at_type = 4;
    constexpr std::uint64_t at_transaction = 16;
    const bool superblock = page < page::superblocks;
    if (superblock != (header.type == page::Type::superblock) ||
        allocator_.is_map(page) != (header.type == page::Type::map)) {
      return page::Damage{
          at_type, fmt::format("of type {}, where it has no place", page::name_of(header.type))};
    }
    const std::uint64_t last = allocator_.superblock().commit;
    if (header.transaction <= last) return {};
    return page::Damage{
        at_transaction,
        fmt::format("of transaction {}, where {} was the last commit", header.transaction, last)};
  }

  void gather_references(PageId page, page::Type type, Bytes bytes) {
    if (type == page::Type::overflow) {
      constexpr std::size_t at_bytes = 32;
      large_[page] = page::load<std::uint64_t>(bytes.data() + at_bytes);
    } else if (type == page::Type::slotted) {
      const auto view = PageView::open(bytes);
      for (std::uint32_t slot = 0; slot < view->slots(); ++slot) {
        gather(page, slot, view->get(static_cast<SlotId>(slot)).value_or(Record{}));
      }
    } else if (type == page::Type::node) {
      const NodeView view = NodeView::trust(bytes);
      for (std::uint32_t slot = 0; slot < view.slots(); ++slot)
        gather(page, slot, view.value(slot));
    }
  }
  void gather(PageId page, std::uint32_t slot, const Record& record) {
    if (!record.is_reference) return;
    const Reference reference = decode_reference(record.bytes);
    referrers_.emplace(reference.page, Referrer{page, slot, reference.bytes});
  }

  void check_references() {
    for (const auto& [target, from] : referrers_) {
      const auto record = large_.find(target);
      if (findings_.is_damaged(target)) continue;  // and was complained of
      if (record == large_.end()) {
        findings_.complain(
            from.page, 0,
            fmt::format("slot {} refers to page {}, where no record is", from.slot, target));
      } else if (record->second != from.bytes) {
        findings_.complain(
            from.page, 0,
            fmt::format("slot {} refers to a record of {} bytes in page {}, which has {}",
                        from.slot, from.bytes, target, record->second));
      }
    }
    for (const auto& [page, bytes] : large_) {
      const std::size_t count = referrers_.count(page);
      if (count > 1) findings_.complain(page, 0, fmt::format("{} records refer to it", count));
      const bool root = std::ranges::find(allocator_.roots, page) != allocator_.roots.end();
      // Nobody can tell what a page refers to that is not whole.
      if (count == 0 && !root && !findings_.any_damaged())
        findings_.complain(page, 0, "in use, and no record refers to it");
    }
  }

  void check_roots() {
    for (const PageId root : allocator_.roots) {
      if (root == 0) continue;
      if (root < allocator_.pages() && allocator_.state(root) == page::State::used) continue;
      findings_.complain(0, 120, fmt::format("a root leads to page {}, which is not in use", root));
    }
  }

  const page::Allocator& allocator_;
  PageFile& file_;
  Findings findings_;
  std::map<PageId, std::uint64_t> large_;      // records in pages of their own: their bytes
  std::multimap<PageId, Referrer> referrers_;  // by what they refer to
};

}  // namespace

std::string_view name_of(Condition condition) {
  constexpr std::string_view names[conditions] = {
      "free", "punched", "superblock", "map", "slotted", "node", "overflow", "unknown", "damaged"};
  return names[static_cast<std::size_t>(condition)];
}

Result<Verified> verify(const page::Allocator& allocator, const Witness& witness) {
  return Walk(allocator, witness).all();
}

}  // namespace pagealloc::slotted
