// What the tests of this lab share: a page file on the bench, and operations for it.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "labs/05_depth/tests/depth.h"
#include "labs/grader/bench.h"
#include "pagealloc/page_file.h"

namespace pagealloc::labs {

class Rig {
 public:
  struct Setup {
    std::string impl = "uring";
    std::uint32_t threads = 0;
    std::uint32_t depth = 32;
    std::uint64_t pages = 64;
    std::uint32_t frames = 64;
    std::optional<Direct> direct = {};
    std::uint64_t number = 0;  ///< of several machines of one test
  };
  Rig(Test& test, Setup setup);
  ~Rig() { file.reset(); }  // it waits for what is in flight, which is in ops_
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  // --- Operations: made here, kept here, submitted by submit() ---
  Op& read(PageId page) { return add({.verb = Verb::read, .page = page}); }
  Op& sync() { return add({.verb = Verb::sync}); }
  Op& punch(PageId page) { return add({.verb = Verb::punch, .page = page}); }
  Op& prefetch(PageId page) { return add({.verb = Verb::prefetch, .page = page}); }
  /// From a staged frame that holds pattern(page, version).
  Op& write(PageId page, std::uint64_t version);

  /// All of them are taken.
  void submit(std::span<Op* const> batch);
  void submit(Op& op);
  /// reap() with room for 64. Fails if fewer than `wait_for` of those in flight came back.
  std::vector<Op*> reap(std::size_t wait_for);
  /// submit() and reap(1).
  Op& run(Op& op);
  /// The result, and of a read that was ok whether the frame is the page: the text of what is
  /// wrong, empty if nothing is. Gives the frame back.
  std::string wrong_with(Op& op);
  /// wrong_with() for one that must be ok.
  void must_be_ok(Op& op, const std::string& cause, const char* function);

  /// For a test that called reap() of the file itself.
  void reaped(std::size_t count) { in_flight_ -= count; }
  std::size_t in_flight() const { return in_flight_; }
  std::uint64_t now_ns() { return bench.sim.now_ns(); }
  std::size_t events() { return bench.sim.trace().events().size(); }
  std::uint64_t enters() { return bench.sim.calls()[os::Call::io_uring_enter]; }
  /// Different pages, in an order that the test's seed draws.
  std::vector<PageId> pages(std::size_t count);
  /// The function of the student's that waits.
  const char* advance() const {
    return pool_ ? "pool.cpp/Engine::advance" : "ring.cpp/Engine::advance";
  }

  Bench bench;
  std::unique_ptr<PageFile> file;

 private:
  Op& add(const Op& op) { return ops_.emplace_back(op); }
  Test& test_;
  bool pool_;
  std::uint64_t pages_;
  std::deque<Op> ops_;
  std::size_t in_flight_ = 0;
};

/// "read of page 5", "sync".
std::string text_of(const Op& op);
/// Its result and errno.
std::string result_of(const Op& op);
/// The bytes from here on are not the page's: how they look, in words.
std::string difference(PageId page, std::uint64_t version, std::span<const std::byte> found);

}  // namespace pagealloc::labs
