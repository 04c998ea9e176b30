#include "pagealloc/slotted/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

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
      : allocator_(allocator), file_(allocator.file()), witness_(witness) {
    verified_.found.pages = allocator.pages();
  }

  Result<Verified> all() {
    for (const Error& error : allocator_.damaged()) complain(error);
    for (PageId page = 0; page < allocator_.pages();) {
      const auto next = look_at(page);
      if (!next) return std::unexpected(next.error());
      page = *next;
      if (witness_.progress) witness_.progress(page, allocator_.pages());
    }
    check_references();
    return verified_;
  }

 private:
  struct Referrer {
    PageId page;
    std::uint32_t slot;
    std::uint64_t bytes;  ///< that it expects
  };

  void complain(const Error& error) {
    ++verified_.violations;
    if (witness_.violation) witness_.violation(error);
  }
  void complain(PageId page, std::uint64_t offset_bytes, std::string cause) {
    complain(page::error_of(file_, page, {offset_bytes, std::move(cause)}));
  }

  /// Returns the page after it, or after its run.
  Result<PageId> look_at(PageId page) {
    switch (allocator_.state(page)) {
      case page::State::free:
        ++verified_.found.free;
        return page + 1;
      case page::State::punched:
        ++verified_.found.punched;
        return look_at_punched(page);
      case page::State::used:
      case page::State::inside:
        break;
    }
    const std::uint32_t run = allocator_.run_of(page);
    const auto bytes = page::read_raw(file_, page, run);
    if (!bytes) return unreadable(page, run, bytes.error());
    look_at_run(page, run, bytes->bytes());
    return page + run;
  }

  Result<PageId> look_at_punched(PageId page) {
    const auto bytes = page::read_raw(file_, page, 1);
    if (!bytes) return unreadable(page, 1, bytes.error());
    if (!page::is_blank(bytes->bytes())) complain(page, 0, "punched, and not blank");
    return page + 1;
  }

  /// A sector that cannot be read is what verify is to find; a file that was cut off ends it.
  Result<PageId> unreadable(PageId page, std::uint32_t run, const Error& error) {
    if (error.code != Errc::io) return std::unexpected(error);
    complain(error);
    verified_.found.damaged += run;
    return page + run;
  }

  void look_at_run(PageId page, std::uint32_t run, Bytes bytes) {
    const std::uint32_t page_bytes = file_.geometry().page_bytes;
    const auto header = page::check(bytes, page, page_bytes);
    if (!header) {
      // A copy of the superblock was looked at, and complained of, when the file was opened.
      if (page >= page::superblocks) complain(page::error_of(file_, page, header.error()));
      verified_.found.damaged += run;
      return;
    }
    if (auto wrong = wrong_use(page, *header)) return damaged(page, run, *wrong);
    if (auto wrong = wrong_content(bytes, header->type, page_bytes)) {
      return damaged(page, run, *wrong);
    }
    verified_.found.by_type[static_cast<std::size_t>(header->type)] += run;
    gather_references(page, header->type, bytes);
  }

  void damaged(PageId page, std::uint32_t run, const page::Damage& damage) {
    complain(page::error_of(file_, page, damage));
    verified_.found.damaged += run;
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
      if (record == large_.end()) {
        complain(from.page, 0,
                 fmt::format("slot {} refers to page {}, where no record is", from.slot, target));
      } else if (record->second != from.bytes) {
        complain(from.page, 0,
                 fmt::format("slot {} refers to a record of {} bytes in page {}, which has {}",
                             from.slot, from.bytes, target, record->second));
      }
    }
    for (const auto& [page, bytes] : large_) {
      const std::size_t count = referrers_.count(page);
      if (count > 1) complain(page, 0, fmt::format("{} records refer to it", count));
      const bool root = std::ranges::find(allocator_.roots, page) != allocator_.roots.end();
      if (count == 0 && !root) complain(page, 0, "in use, and no record refers to it");
    }
  }

  const page::Allocator& allocator_;
  PageFile& file_;
  const Witness& witness_;
  Verified verified_;
  std::map<PageId, std::uint64_t> large_;      // records in pages of their own: their bytes
  std::multimap<PageId, Referrer> referrers_;  // by what they refer to
};

}  // namespace

Result<Verified> verify(const page::Allocator& allocator, const Witness& witness) {
  return Walk(allocator, witness).all();
}

}  // namespace pagealloc::slotted
