#include "labs/04_cache/tests/any_order.h"

#include "pagealloc/file_on.h"
#include "pagealloc/random.h"

namespace pagealloc::labs {

namespace {

Random order(1);  // one for all of them: the simulated machine is a single thread
std::vector<Note>* noted_in = nullptr;

void note(bool begun, const Op& op) {
  if (noted_in != nullptr) noted_in->push_back({begun, op.verb, op.page});
}

class AnyOrder final : public IoEngine {
 public:
  using IoEngine::IoEngine;

  // On the same descriptor: blocking::sync() sees to it that all handles hear of one that fails.
  Result<std::unique_ptr<IoEngine>> another() noexcept override {
    return std::make_unique<AnyOrder>(share());
  }
  bool overlaps() const noexcept override { return true; }

  // The file is as it was: whoever relies on what he has only begun is to be found out.
  void begin(Op& op) noexcept override {
    note(true, op);
    under_way_.push(op);
  }

  // Perhaps one more than is waited for, as nobody knows what has come back meanwhile. So who only
  // looks, and looks again, sees everything end.
  void advance(std::size_t wanted) noexcept override {
    for (std::uint64_t count = wanted + order.below(2); count > 0 && !under_way_.empty(); --count) {
      carry_out_any();
    }
  }

 private:
  // One that was begun late may be the first, a sync among them: it covers the writes that were
  // carried out before it, and no others.
  void carry_out_any() noexcept {
    for (std::uint64_t passed = order.below(under_way_.size()); passed > 0; --passed) {
      under_way_.push(under_way_.pop());
    }
    Op& op = under_way_.pop();
    const blocking::Outcome outcome = blocking::execute(shared(), op);
    note(false, op);
    end(op, outcome);
  }

  OpList under_way_;
};

}  // namespace

void order_from(std::uint64_t seed) { order = Random(seed); }

void note_in(std::vector<Note>* notes) { noted_in = notes; }

}  // namespace pagealloc::labs

// What pagealloc::open() calls for impl "uring". The linker has it from here, and takes nothing of
// impl_uring/ from the library.
namespace pagealloc::impl_uring {

Result<std::unique_ptr<PageFile>> open(std::string_view path, const Options& options) {
  auto shared = SharedFile::open(path, options, Direct::require);
  if (!shared) return std::unexpected(shared.error());
  return file_on(std::make_unique<labs::AnyOrder>(*shared));
}

}  // namespace pagealloc::impl_uring
