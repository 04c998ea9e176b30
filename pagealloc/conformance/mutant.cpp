#include "pagealloc/conformance/mutant.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace pagealloc::conformance {

namespace {

/// Does as the handle below does, except for one clause.
class Mutant final : public PageFile {
 public:
  Mutant(std::unique_ptr<PageFile> base, Options options, int clause)
      : base_(std::move(base)), options_(std::move(options)), clause_(clause) {
    geometry_ = base_->geometry();
  }

  std::size_t submit(std::span<Op* const> batch) noexcept override;
  std::size_t reap(std::span<Op*> done, std::size_t wait_for) noexcept override;
  std::byte* stage(PageId page, std::uint32_t run) noexcept override {
    return base_->stage(page, run);
  }
  void release(std::byte* frame, std::uint32_t run) noexcept override {
    if (clause_ == 4) return;  // what was lent never comes back
    base_->release(frame, run);
  }
  Result<void> resize(std::uint64_t pages) noexcept override { return base_->resize(pages); }
  Result<std::unique_ptr<PageFile>> another() noexcept override {
    // Clause 14: a stranger, that knows nothing of the first one's length and poison.
    auto next = clause_ == 14 ? open(path(), options_) : base_->another();
    if (!next) return next;
    return std::make_unique<Mutant>(std::move(*next), options_, clause_);
  }
  std::uint64_t pages() const noexcept override { return base_->pages(); }
  Errc failed() const noexcept override { return base_->failed(); }
  std::string_view path() const noexcept override { return base_->path(); }

 private:
  bool swallow(Op& op);
  void spoil_before(Op& op);
  void spoil_after(Op& op);
  /// Writes behind the implementation's back.
  void scribble(std::uint64_t offset, const std::vector<char>& bytes);
  std::uint64_t end_of(const Op& op) const {
    return (op.page + op.run) * std::uint64_t{geometry_.page_bytes};
  }

  std::unique_ptr<PageFile> base_;
  Options options_;
  int clause_;
  std::vector<Op*> swallowed_;     // answered without asking the handle below
  Op last_read_;                   // clause 5: what was lent last
  std::vector<std::byte*> hoard_;  // clause 6: staged frames that were not spent
};

std::size_t Mutant::submit(std::span<Op* const> batch) noexcept {
  for (Op* op : batch) {
    spoil_before(*op);
    if (swallow(*op)) {
      op->result = Errc::ok;
      swallowed_.push_back(op);
    } else if (base_->submit({&op, 1}) == 0) {
      return clause_ == 1 ? batch.size() : static_cast<std::size_t>(&op - batch.data());
    } else if (clause_ == 7) {  // one at a time, so that nothing ever overlaps
      Op* done[1] = {};
      if (base_->reap(done, 1) == 1) swallowed_.push_back(done[0]);
    }
  }
  return batch.size();
}

/// Clauses 8, 13, 16 and 18: success is reported and nothing was done.
bool Mutant::swallow(Op& op) {
  if (clause_ == 8) return op.verb == Verb::sync;
  if (clause_ == 13) return op.verb == Verb::punch;
  if (clause_ == 18) return op.verb == Verb::prefetch;
  return clause_ == 16 && op.verb != Verb::sync && op.page >= base_->pages();
}

void Mutant::spoil_before(Op& op) {
  if (clause_ == 5 && op.verb == Verb::write && last_read_.frame != nullptr &&
      op.page != last_read_.page) {  // another page's write disturbs what is lent
    if (geometry_.base != nullptr) {
      scribble(end_of(last_read_) - 1, {'!'});
    } else {
      last_read_.frame[0] ^= std::byte{1};
    }
    last_read_.frame = nullptr;  // once: the second flip would undo the first
  }
  const bool in_place = geometry_.base != nullptr && op.frame == base_->peek(op.page);
  if (clause_ == 6 && op.verb == Verb::write && op.run == 1 && !in_place) {
    // A copy is written and the staged frame kept.
    const std::size_t bytes = std::size_t{op.run} * geometry_.page_bytes;
    auto* copy = new (std::align_val_t{4096}) std::byte[bytes];
    std::memcpy(copy, op.frame, bytes);
    hoard_.push_back(op.frame);
    op.frame = copy;
  }
  if (clause_ == 17) {
    void* volatile memory = std::malloc(16);  // volatile: the compiler may drop an unused pair
    std::free(memory);
  }
}

std::size_t Mutant::reap(std::span<Op*> done, std::size_t wait_for) noexcept {
  std::size_t count = 0;
  while (count < done.size() && !swallowed_.empty()) {
    done[count++] = swallowed_.back();
    swallowed_.pop_back();
  }
  count += base_->reap(done.subspan(count), wait_for > count ? wait_for - count : 0);
  for (Op* op : done.first(count)) spoil_after(*op);
  if (clause_ == 2 && count > 1) --count;  // one is never handed back
  if (clause_ == 3) {                      // the rest is thrown away instead of kept
    std::vector<Op*> rest(64);
    (void)base_->reap(rest, 1);
  }
  return count;
}

void Mutant::spoil_after(Op& op) {
  if (clause_ == 5 && op.verb == Verb::read) last_read_ = op;
  if (clause_ == 9 && op.verb == Verb::write) scribble(end_of(op), {'!'});
  if (clause_ == 10 && op.result == Errc::ok && op.verb != Verb::sync) {
    // As if the first half had been taken for the whole.
    const std::vector<char> half(geometry_.page_bytes / 2, '\0');
    if (op.verb == Verb::write) scribble(end_of(op) - half.size(), half);
    if (op.verb == Verb::read && geometry_.base == nullptr) {
      std::memset(op.frame + half.size(), 0, half.size());
    }
  }
  if (clause_ == 11 && op.result == Errc::poisoned) op.result = Errc::ok;
}

void Mutant::scribble(std::uint64_t offset, const std::vector<char>& bytes) {
  os::Kernel& kernel = options_.kernel == nullptr ? os::linux_kernel() : *options_.kernel;
  const int fd = kernel.open(std::string(path()).c_str(), O_RDWR | O_CLOEXEC, 0);
  std::vector<char> memory = bytes;
  const iovec iov{memory.data(), memory.size()};
  (void)kernel.pwritev(fd, &iov, 1, offset);
  (void)kernel.close(fd);
}

}  // namespace

int mutant_from_environment() {
  const char* clause = std::getenv("PAGEALLOC_MUTANT");
  return clause == nullptr ? 0 : std::atoi(clause);
}

Result<std::unique_ptr<PageFile>> open_mutant(std::string_view path, const Options& options,
                                              int clause) {
  Options changed = options;
  if (clause == 12) changed.sync_at_open = false;
  if (clause == 15) changed.write_through = false;
  auto file = open(path, changed);
  if (clause == 0 || !file) return file;
  return std::make_unique<Mutant>(std::move(*file), changed, clause);
}

}  // namespace pagealloc::conformance
