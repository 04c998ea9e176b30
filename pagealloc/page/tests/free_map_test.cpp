// The free map against the simplest thing that does the same: a list of states.
#include "pagealloc/page/free_map.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "pagealloc/random.h"

namespace pagealloc::page {
namespace {

struct Naive {
  State state = State::free;
  bool held = false;
  bool free() const { return (state == State::free || state == State::punched) && !held; }
};

/// The lowest run of free pages, looked for page by page.
std::optional<PageId> find(const std::vector<Naive>& pages, std::uint32_t run) {
  std::uint32_t found = 0;
  for (PageId page = 0; page < pages.size(); ++page) {
    found = pages[page].free() ? found + 1 : 0;
    if (found == run) return page + 1 - run;
  }
  return {};
}

class Pair {
 public:
  explicit Pair(std::uint64_t seed) : random_(seed) { resize(1 + random_.below(300)); }

  void step() {
    switch (random_.below(6)) {
      case 0:
      case 1:
        return take();
      case 2:
      case 3:
        return release();
      case 4:
        return random_.one_in(8) ? unhold_all() : punch();
      default:
        if (random_.one_in(20)) change_length();
    }
  }
  void compare() {
    ASSERT_EQ(map_.pages(), pages_.size());
    std::uint64_t end = 0;
    for (PageId page = 0; page < pages_.size(); ++page) {
      ASSERT_EQ(map_.at(page), pages_[page].state) << "page " << page;
      ASSERT_EQ(map_.is_held(page), pages_[page].held) << "page " << page;
      if (pages_[page].state == State::used || pages_[page].state == State::inside) end = page + 1;
    }
    ASSERT_EQ(map_.used_end(), end);
    for (const std::uint32_t run : {1U, 2U, 5U, 70U, 130U}) {
      ASSERT_EQ(map_.find(run), find(pages_, run)) << "a run of " << run;
    }
  }
  void encode_and_decode() {
    std::vector<std::byte> bytes(pages_.size() / 4 + 9, std::byte{0xff});
    map_.encode(0, bytes);
    FreeMap again;
    again.resize(pages_.size());
    again.decode(0, bytes);
    for (PageId page = 0; page < pages_.size(); ++page) {
      ASSERT_EQ(again.at(page), pages_[page].state);
    }
    for (std::size_t at = (pages_.size() + 3) / 4; at < bytes.size(); ++at) {
      ASSERT_EQ(bytes[at], std::byte{0}) << "beyond the end";
    }
  }

 private:
  void resize(std::uint64_t pages) {
    map_.resize(pages);
    pages_.resize(pages);
  }
  void take() {
    const auto run = static_cast<std::uint32_t>(1 + random_.below(random_.one_in(10) ? 100 : 4));
    const auto page = map_.find(run);
    if (!page) return;
    map_.take(*page, run);
    for (std::uint32_t i = 0; i < run; ++i) {
      pages_[*page + i].state = i == 0 ? State::used : State::inside;
    }
    runs_[*page] = run;
  }
  void release() {
    if (runs_.empty()) return;
    auto at = runs_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_.below(runs_.size())));
    const bool held = random_.one_in(2);
    ASSERT_EQ(map_.run_of(at->first), at->second);
    ASSERT_EQ(map_.release(at->first, held), at->second);
    for (std::uint32_t i = 0; i < at->second; ++i) pages_[at->first + i] = {State::free, held};
    if (held) held_.emplace_back(at->first, at->second);
    runs_.erase(at);
  }
  void unhold_all() {
    for (const auto& [page, run] : held_) {
      map_.unhold(page, run);
      for (std::uint32_t i = 0; i < run; ++i) pages_[page + i].held = false;
    }
    held_.clear();
  }
  void punch() {
    const PageId page = random_.below(pages_.size());
    if (pages_[page].state != State::free || pages_[page].held) return;
    map_.punch(page);
    pages_[page].state = State::punched;
  }
  void change_length() {
    unhold_all();
    resize(std::max<std::uint64_t>(map_.used_end(), 1) + random_.below(200));
  }

  Random random_;
  FreeMap map_;
  std::vector<Naive> pages_;
  std::map<PageId, std::uint32_t> runs_;
  std::vector<std::pair<PageId, std::uint32_t>> held_;
};

TEST(FreeMap, does_what_a_list_of_states_does) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Pair pair(seed);
    for (unsigned i = 0; i < 300; ++i) {
      pair.step();
      ASSERT_NO_FATAL_FAILURE(pair.compare()) << "step " << i;
    }
    pair.encode_and_decode();
  }
}

}  // namespace
}  // namespace pagealloc::page
