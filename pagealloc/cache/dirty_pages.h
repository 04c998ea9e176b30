// The frames that are yet to be written back, in the order of their pages.
#pragma once

#include <algorithm>
#include <boost/intrusive/set.hpp>
#include <cassert>
#include <cstdint>
#include <vector>

#include "pagealloc/cache/replacement.h"

namespace pagealloc::cache {

/// A page that is to be written back, and the frame it is in.
struct Dirty {
  PageId page;
  FrameId frame;
};

/// A search tree whose nodes are there already, one a frame: nothing is allocated, and a batch of n
/// costs n steps however many are dirty. A bit a frame instead, collected and sorted for each
/// batch, took as long for 256 pages as for all of them. Not thread safe.
class DirtyPages {
 public:
  explicit DirtyPages(std::uint32_t frames) : nodes_(frames) {}
  ~DirtyPages() { tree_.clear(); }
  DirtyPages(const DirtyPages&) = delete;
  DirtyPages& operator=(const DirtyPages&) = delete;

  std::size_t size() const noexcept { return tree_.size(); }
  bool contains(FrameId frame) const noexcept { return nodes_[frame].is_linked(); }
  /// Precondition: neither the frame nor the page is in it.
  void add(FrameId frame, PageId page) noexcept {
    nodes_[frame].page = page;
    [[maybe_unused]] const bool added = tree_.insert(nodes_[frame]).second;
    assert(added);
  }
  void remove(FrameId frame) noexcept { tree_.erase(tree_.iterator_to(nodes_[frame])); }

  bool any(PageId page, std::uint64_t run) const noexcept {
    const auto first = tree_.lower_bound(page);
    return first != tree_.end() && first->page - page < run;
  }
  /// Appends at most `max`, from `page` on in rising order, and then those before it, from the
  /// first on, in rising order too: as an elevator that carries upwards only.
  void list(PageId page, std::size_t max, std::vector<Dirty>& into) const noexcept {
    auto next = tree_.lower_bound(page);
    for (std::size_t left = std::min(max, size()); left > 0; --left, ++next) {
      if (next == tree_.end()) next = tree_.begin();
      into.push_back({next->page, static_cast<FrameId>(&*next - nodes_.data())});
    }
  }

 private:
  struct Node
      : boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>,
                                        boost::intrusive::link_mode<boost::intrusive::safe_link>> {
    PageId page = 0;
  };
  struct PageOf {
    using type = PageId;
    PageId operator()(const Node& node) const noexcept { return node.page; }
  };
  std::vector<Node> nodes_;  // by frame
  boost::intrusive::set<Node, boost::intrusive::key_of_value<PageOf>> tree_;
};

}  // namespace pagealloc::cache
