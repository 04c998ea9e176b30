// Operations in a line, linked through Op::next: no allocation, first in first out.
#pragma once

#include <cstddef>

#include "pagealloc/page_file.h"

namespace pagealloc {

/// Not thread safe. An operation is in at most one list.
class OpList {
 public:
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  void push(Op& op) noexcept {
    op.next = nullptr;
    (last_ == nullptr ? first_ : last_->next) = &op;
    last_ = &op;
    ++size_;
  }

  /// Precondition: not empty.
  Op& pop() noexcept {
    Op& op = *first_;
    first_ = op.next;
    if (first_ == nullptr) last_ = nullptr;
    op.next = nullptr;
    --size_;
    return op;
  }

  /// The next to be popped. Precondition: not empty.
  Op& front() const noexcept { return *first_; }

  /// Moves everything out of `other` to the end of this list.
  void take(OpList& other) noexcept {
    if (other.empty()) return;
    (last_ == nullptr ? first_ : last_->next) = other.first_;
    last_ = other.last_;
    size_ += other.size_;
    other = OpList();
  }

 private:
  Op* first_ = nullptr;
  Op* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace pagealloc
