// The policies of eviction once more, as their papers tell them, with the containers of the
// standard library and no thought for speed: what the cache does is compared with them, access by
// access.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>

#include "pagealloc/options.h"

namespace pagealloc::cache::naive {

using Page = std::uint64_t;

class Policy {
 public:
  explicit Policy(std::size_t capacity) : capacity_(capacity) {}
  virtual ~Policy() = default;
  /// Was it there?
  virtual bool access(Page page) = 0;
  /// Which page the last access drove out; only LRU and CLOCK say it.
  std::optional<Page> gone() const { return gone_; }

 protected:
  static bool has(const std::list<Page>& pages, Page page) {
    return std::ranges::find(pages, page) != pages.end();
  }
  std::size_t capacity_;
  std::optional<Page> gone_;
};

class Lru final : public Policy {
 public:
  using Policy::Policy;
  bool access(Page page) override {
    const bool hit = has(pages_, page);
    pages_.remove(page);
    pages_.push_front(page);
    gone_.reset();
    if (pages_.size() <= capacity_) return hit;
    gone_ = pages_.back();
    pages_.pop_back();
    return hit;
  }

 private:
  std::list<Page> pages_;  // the newest first
};

class Clock final : public Policy {
 public:
  using Policy::Policy;
  bool access(Page page) override {
    gone_.reset();
    for (auto& [its, used] : ring_) {
      if (its == page) return used = true;
    }
    while (ring_.size() == capacity_) {
      auto [its, used] = ring_.front();
      ring_.pop_front();
      if (used) {
        ring_.emplace_back(its, false);
      } else {
        gone_ = its;
      }
    }
    ring_.emplace_back(page, false);
    return false;
  }

 private:
  std::deque<std::pair<Page, bool>> ring_;  // the hand is at the front
};

class TwoQ final : public Policy {
 public:
  explicit TwoQ(std::size_t capacity)
      : Policy(capacity), in_max_(std::max<std::size_t>(1, capacity / 4)), out_max_(capacity / 2) {}
  bool access(Page page) override {
    if (has(often_, page)) {
      often_.remove(page);
      often_.push_front(page);
      return true;
    }
    if (has(in_, page)) return true;
    const bool remembered = has(out_, page);
    if (in_.size() + often_.size() == capacity_) make_room();
    out_.remove(page);
    (remembered ? often_ : in_).push_front(page);
    return false;
  }

 private:
  void make_room() {
    if (in_.size() <= in_max_ && !often_.empty()) return often_.pop_back();
    out_.push_front(in_.back());
    in_.pop_back();
    if (out_.size() > out_max_) out_.pop_back();
  }
  std::size_t in_max_;
  std::size_t out_max_;
  std::list<Page> in_;
  std::list<Page> out_;
  std::list<Page> often_;
};

class S3Fifo final : public Policy {
 public:
  explicit S3Fifo(std::size_t capacity)
      : Policy(capacity), small_max_(std::max<std::size_t>(1, capacity / 10)) {}
  bool access(Page page) override {
    if (const auto found = uses_.find(page); found != uses_.end()) {
      found->second = std::min(found->second + 1, 3);
      return true;
    }
    const bool remembered = has(ghosts_, page);
    while (small_.size() + main_.size() == capacity_) make_room();
    ghosts_.remove(page);
    (remembered ? main_ : small_).push_front(page);
    uses_[page] = 0;
    return false;
  }

 private:
  void make_room() {
    if (main_.size() > capacity_ - small_max_ || small_.empty()) {
      evict_main();
    } else {
      evict_small();
    }
  }
  void evict_small() {
    while (!small_.empty()) {
      const Page page = small_.back();
      small_.pop_back();
      if (uses_[page] <= 1) {
        ghosts_.push_front(page);
        if (ghosts_.size() > capacity_ - small_max_) ghosts_.pop_back();
        uses_.erase(page);
        return;
      }
      uses_[page] = 0;
      main_.push_front(page);
    }
  }
  void evict_main() {
    while (true) {
      const Page page = main_.back();
      main_.pop_back();
      if (uses_[page]-- == 0) return void(uses_.erase(page));
      main_.push_front(page);
    }
  }
  std::size_t small_max_;
  std::list<Page> small_;
  std::list<Page> main_;
  std::list<Page> ghosts_;
  std::map<Page, int> uses_;
};

inline std::unique_ptr<Policy> make(Eviction eviction, std::size_t capacity) {
  switch (eviction) {
    case Eviction::clock:
      return std::make_unique<Clock>(capacity);
    case Eviction::lru:
      return std::make_unique<Lru>(capacity);
    case Eviction::s3_fifo:
      return std::make_unique<S3Fifo>(capacity);
    case Eviction::two_q:
      return std::make_unique<TwoQ>(capacity);
  }
  return nullptr;
}

}  // namespace pagealloc::cache::naive
