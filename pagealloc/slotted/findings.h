// What a walk through a structured file has found, told to its witness and counted.
#pragma once

#include <set>
#include <string>

#include "pagealloc/page/checked.h"
#include "pagealloc/slotted/verify.h"

namespace pagealloc::slotted {

/// What a whole page of this type is. Thread safe.
inline Condition condition_of(page::Type type) {
  switch (type) {
    case page::Type::superblock:
      return Condition::superblock;
    case page::Type::map:
      return Condition::map;
    case page::Type::slotted:
      return Condition::slotted;
    case page::Type::node:
      return Condition::node;
    case page::Type::overflow:
      return Condition::overflow;
    case page::Type::blank:
      break;
  }
  return Condition::damaged;
}

/// Belongs to one thread; `file` and `witness` must outlive it.
class Findings {
 public:
  Findings(const PageFile& file, const Witness& witness) : file_(file), witness_(witness) {}

  void complain(const Error& error) {
    ++verified_.violations;
    if (witness_.violation) witness_.violation(error);
  }
  void complain(PageId page, std::uint64_t offset_bytes, std::string cause) {
    complain(page::error_of(file_, page, {offset_bytes, std::move(cause)}));
  }
  void found(PageId page, std::uint32_t run, Condition condition,
             std::span<const std::byte> bytes) {
    verified_.pages[static_cast<std::size_t>(condition)] += run;
    if (condition == Condition::damaged) damaged_.insert(page);
    if (witness_.page) witness_.page(page, run, condition, bytes);
  }

  /// Was the page, or the run that begins here, found damaged?
  bool is_damaged(PageId page) const { return damaged_.contains(page); }
  bool any_damaged() const { return !damaged_.empty(); }
  const Verified& verified() const { return verified_; }

 private:
  const PageFile& file_;
  const Witness& witness_;
  Verified verified_;
  std::set<PageId> damaged_;
};

}  // namespace pagealloc::slotted
