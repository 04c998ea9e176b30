// Three threads on one small cache, in every order that a seed can think of.
#include "pagealloc/cache/tests/scheduled_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "pagealloc/cache/schedule.h"
#include "pagealloc/open.h"
#include "pagealloc/os/sim/fiber.h"
#include "pagealloc/os/sim/kernel.h"
#include "pagealloc/random.h"

namespace pagealloc::cache {

namespace {

constexpr std::uint32_t page_bytes = 512;
constexpr std::uint64_t pages_max = 26;
constexpr unsigned threads = 3;
constexpr const char* file_path = "/scheduled.pa";

/// Which fiber went on at each place where another one could have.
class Schedule final : os::Background {
 public:
  Schedule(os::Kernel& kernel, std::uint64_t seed)
      : random_(seed), clock_(kernel.start(*this, 1)) {}

  /// Lets others come in, or not.
  void point() {
    hash_ = (hash_ ^ number_of_this()) * 0x9E3779B97F4A7C15ULL;
    if (!random_.one_in(4)) return;
    // Now and then so long that the others evict and read whole pages meanwhile.
    const std::uint64_t pauses = random_.one_in(8) ? 24 : 1 + random_.below(2);
    for (std::uint64_t i = 0; i < pauses; ++i) yield();
  }
  void yield() { clock_->poll(); }
  std::uint64_t hash() const { return hash_; }
  /// Fibers are numbered in the order in which they come here first.
  std::uintptr_t number_of_this() { return number_of(os::sim::Fiber::current()); }

 private:
  void step() noexcept override {}
  std::uintptr_t number_of(const void* fiber) {
    std::size_t number = 0;
    while (number < fibers_.size() && fibers_[number] != fiber) ++number;
    if (number == fibers_.size()) fibers_.push_back(fiber);
    return number + 1;
  }

  Random random_;
  std::unique_ptr<os::Workers> clock_;
  std::vector<const void*> fibers_;
  std::uint64_t hash_ = 1;
};

Schedule* schedule = nullptr;  // of this run; none while nothing shall come in between

}  // namespace

void between_steps() noexcept {
  if (schedule != nullptr && os::sim::Fiber::current() != nullptr) schedule->point();
}

void Mutex::lock() noexcept {
  between_steps();
  while (held_) schedule->yield();
  held_ = true;
}

bool Mutex::try_lock() noexcept {
  between_steps();
  if (held_) return false;
  held_ = true;
  return true;
}

void Mutex::unlock() noexcept {
  held_ = false;
  between_steps();
}

namespace {

/// What page `page` holds in its `version`th form; its first word says which it is.
std::vector<std::byte> contents(PageId page, std::uint64_t version) {
  std::vector<std::byte> bytes(page_bytes);
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(std::uint64_t)) {
    const std::uint64_t name = page << 32 | version;
    const std::uint64_t word = i == 0 ? name : (name + i) * 0x9E3779B97F4A7C15ULL;
    std::memcpy(bytes.data() + i, &word, sizeof word);
  }
  return bytes;
}

std::uint64_t first_word_of(std::span<const std::byte> bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data(), sizeof word);
  return word;
}

std::uint64_t version_of(std::span<const std::byte> bytes) {
  return first_word_of(bytes) & UINT32_MAX;
}

/// One machine, one file, three handles, and what the file must hold.
class World final : os::Background {
 public:
  explicit World(const WorldOf& world)
      : random_(world.seed), kernel_(machine(world)), schedule_(kernel_, world.seed) {
    if (world.history != 0) kernel_.trace().keep();
    const std::uint64_t seed = world.seed;
    Options options;
    options.impl = world.impl;
    options.page_bytes = page_bytes;
    options.depth = 4;
    options.frames = 3;
    options.cache.bytes =
        std::array{17U, 18U, 24U}[world.tight ? 0 : seed % 3] * std::uint64_t{page_bytes};
    options.cache.eviction = world.eviction.value_or(static_cast<Eviction>(seed / 3 % 4));
    options.cache.cluster_bytes = !world.tight && seed / 12 % 2 == 0 ? 0 : 2 * page_bytes;
    options.write_through = !world.tight && seed / 24 % 4 == 3;
    options.kernel = &kernel_;
    auto parent = open(file_path, options);
    if (!parent) {
      fail(parent.error().text());
      return;
    }
    parent_ = std::move(*parent);
    if (seed % 7 == 6) {
      os::sim::FaultRates faults;
      faults[os::sim::Fault::write_error] = 12;
      kernel_.set_faults(faults);
    }
    while (handles_.size() < threads && !failure_) handles_.push_back(another());
  }

  /// What was wrong, if anything was.
  std::optional<Wrong> run() {
    if (failure_) return failure_;
    schedule = &schedule_;
    {
      const auto workers = kernel_.start(*this, threads);
      workers->post(threads);
      workers->wait(threads);
    }
    if (!failure_) sync_through(*parent_);
    poisoned_ = parent_->failed() == Errc::poisoned;
    handles_.clear();
    parent_.reset();
    schedule = nullptr;
    return failure_;
  }

  std::uint64_t hash() const { return schedule_.hash(); }
  /// A write has failed.
  bool poisoned() const { return poisoned_; }
  std::string history(std::size_t lines);

 private:
  struct PageState {
    std::uint64_t version = 0;
    unsigned readers = 0;       // reads that are in flight
    bool written = false;       // a write is, or a punch
    std::uint64_t punched = 0;  // the version that the last punch made, which is zeros
    std::uint64_t synced = 0;   // the last version that a sync has covered
  };

  static os::sim::Machine machine(const WorldOf& world) {
    const std::uint64_t seed = world.seed;
    os::sim::Machine machine{.seed = seed};
    // As fast as a pause is long, so that pages come and go while somebody stands between two
    // steps.
    machine.model.read_ns = machine.model.write_ns = machine.model.flush_ns = 1000;
    auto& file = machine.image.files[file_path];
    // In some worlds all of it fits.
    const bool fits = !world.tight && seed % 5 == 0;
    const std::uint64_t pages = fits ? pages_max / 2 : pages_max;
    for (PageId page = 0; page < pages; ++page) {
      const auto bytes = contents(page, 0);
      file.bytes.insert(file.bytes.end(), bytes.begin(), bytes.end());
    }
    file.allocated.assign((file.bytes.size() - 1) / os::sim::block_bytes + 1, true);
    return machine;
  }

  void fail(Wrong wrong) {
    if (failure_) return;
    failure_ = std::move(wrong);
    note("sees that it is wrong");
  }
  void fail(std::string what) {
    fail({.when = Wrong::When::other,
          .expected = "every operation of the three threads succeeds",
          .found = std::move(what)});
  }
  void note(const char* what, PageId page = no_page, std::uint64_t version = 0) {
    if (!kernel_.trace().kept()) return;
    acts_.push_back({kernel_.now_ns(), schedule_.number_of_this(), what, page, version});
  }

  std::unique_ptr<PageFile> another() {
    auto made = parent_->another();
    if (made) return std::move(*made);
    fail(made.error().text());
    return nullptr;
  }

  // One thread's life.
  void step() noexcept override {
    std::unique_ptr<PageFile>& file = handles_[next_++];
    constexpr int actions = 10;
    for (int i = 0; i < actions && !failure_; ++i) act(file);
  }

  void act(std::unique_ptr<PageFile>& handle) {
    PageFile& file = *handle;
    const std::uint64_t pages = file.pages();
    const PageId page = random_.below(pages);
    const PageId other = random_.below(pages);
    switch (random_.below(20)) {
      case 0:
        return write(file, page, true);
      case 1:
      case 2:
      case 3:
      case 4:
        return write(file, page, false);
      case 5:
      case 6:
        return sync_through(file);
      case 7:
        return read_run(file, std::min(page, pages - 2));
      case 8:
        return punch(file, page);
      case 9:
        return advise(file, std::min(page, pages - 3));
      case 10:
        return reopen(handle);
      case 11:
      case 12:
      case 13:
      case 14:
        return read(file, {page, other});
      default:
        return read(file, {page});
    }
  }

  void advise(PageFile& file, PageId page) {
    note("begins to prefetch three pages from", page);
    Op op{.verb = Verb::prefetch, .run = 3, .page = page};
    carry_out(file, {&op});
  }

  // While the others go on; two at a time do not ask the same handle for another one.
  void reopen(std::unique_ptr<PageFile>& handle) {
    if (std::exchange(reopening_, true)) return;
    note("closes its handle and opens another one");
    handle.reset();
    handle = another();
    reopening_ = false;
  }

  /// Submits them together.
  bool carry_out(PageFile& file, std::initializer_list<Op*> ops) {
    std::array<Op*, 2> done{};
    const std::size_t taken = file.submit({ops.begin(), ops.size()});
    if (taken != ops.size()) fail("a batch was not taken whole");
    // All of them, even after a failure: they live on this stack.
    for (std::size_t back = 0; back < taken;) back += file.reap(done, 1);
    bool good = true;
    for (const Op* op : ops) {
      good = good && op->result == Errc::ok;
      const bool excused = op->verb != Verb::read && file.failed() == Errc::poisoned;
      if (op->result != Errc::ok && !excused && !failure_) fail(error_of(file, *op).text());
    }
    return good && !failure_;
  }

  static std::vector<std::byte> expected(PageId page, const PageState& state) {
    const bool zeros = state.punched != 0 && state.punched == state.version;
    return zeros ? std::vector<std::byte>(page_bytes) : contents(page, state.version);
  }

  void check(PageId page, const std::byte* bytes, const std::vector<std::byte>& wanted,
             Wrong::When when) {
    if (std::memcmp(bytes, wanted.data(), page_bytes) == 0) return;
    const std::span<const std::byte> seen(bytes, page_bytes);
    const std::uint64_t found = first_word_of(seen) >> 32;
    fail({.when = when,
          .expected =
              fmt::format("page {}, version {}, {}", page, version_of(wanted),
                          when == Wrong::When::lent ? "while it is lent" : "when it is read"),
          .found = found < pages_max
                       ? fmt::format("bytes of page {}, version {}", found, version_of(seen))
                       : "bytes of nothing that was written"});
  }

  /// Which version of the page these bytes are, all of them; none: of no version, or in parts.
  std::optional<std::uint64_t> version_in(PageId page, std::span<const std::byte> bytes) const {
    const bool zeros = std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
    if (zeros && states_[page].punched != 0) return states_[page].punched;
    const std::uint64_t version = version_of(bytes);
    if (!std::ranges::equal(bytes, contents(page, version))) return std::nullopt;
    return version;
  }

  /// It was read: as it was last written, or, where writes have failed, as it is on the medium.
  void check_read(PageId page, const std::byte* bytes, const std::vector<std::byte>& wanted) {
    if (parent_->failed() != Errc::poisoned) return check(page, bytes, wanted, Wrong::When::read);
    const auto version = version_in(page, {bytes, page_bytes});
    if (version && *version >= states_[page].synced && *version <= states_[page].version + 1)
      return;
    fail({.when = Wrong::When::read,
          .expected =
              fmt::format("page {}, read after a failed write: version {}, which was synced, "
                          "or a later one, whole",
                          page, states_[page].synced),
          .found = version ? fmt::format("version {}", *version) : "no version, or parts of two"});
  }

  // What is being written may not be read: the contract forbids it.
  void read(PageFile& file, std::initializer_list<PageId> which) {
    for (const PageId page : which) {
      if (states_[page].written) return;
    }
    std::array<Op, 2> ops;
    std::array<std::vector<std::byte>, 2> wanted;
    std::size_t count = 0;
    for (const PageId page : which) {
      note("begins to read", page, states_[page].version);
      ++states_[page].readers;
      wanted[count] = expected(page, states_[page]);
      ops[count++] = Op{.page = page};
    }
    const bool good = count == 2 ? carry_out(file, {&ops[0], &ops[1]}) : carry_out(file, {&ops[0]});
    for (const PageId page : which) --states_[page].readers;
    for (std::size_t i = 0; good && i < count; ++i) {
      note("has been lent", ops[i].page);
      check_read(ops[i].page, ops[i].frame, wanted[i]);
      wanted[i].assign(ops[i].frame, ops[i].frame + page_bytes);
    }
    for (std::uint64_t i = random_.below(6); i > 0; --i) between_steps();
    for (std::size_t i = 0; good && i < count; ++i) {
      check(ops[i].page, ops[i].frame, wanted[i], Wrong::When::lent);
      note("gives back", ops[i].page);
      file.release(ops[i].frame, 1);
    }
  }

  void read_run(PageFile& file, PageId page) {
    const std::array both{&states_[page], &states_[page + 1]};
    if (both[0]->written || both[1]->written) return;
    for (PageState* state : both) ++state->readers;
    note("begins to read, past the cache, two pages from", page);
    Op op{.run = 2, .page = page};
    const bool good = carry_out(file, {&op});
    for (PageState* state : both) --state->readers;
    if (!good) return;
    for (std::size_t i = 0; i < 2; ++i) {
      check_read(page + i, op.frame + i * page_bytes, expected(page + i, *both[i]));
    }
    file.release(op.frame, 2);
  }

  /// False: somebody else is at it, and two at the same time the contract forbids.
  bool begin_change(PageState& state) {
    if (state.written || state.readers > 0) return false;
    return state.written = true;
  }

  void write(PageFile& file, PageId page, bool own_memory) {
    PageState& state = states_[page];
    if (!begin_change(state)) return;
    const auto bytes = contents(page, state.version + 1);
    note(own_memory ? "begins to write, past the cache," : "begins to write", page,
         state.version + 1);
    alignas(page_bytes) std::array<std::byte, page_bytes> memory;
    Op op{.verb = Verb::write, .page = page};
    op.frame = own_memory ? memory.data() : file.stage(page, 1);
    if (op.frame == nullptr) return fail("a guaranteed frame was not there");
    std::memcpy(op.frame, bytes.data(), page_bytes);
    if (carry_out(file, {&op})) {
      ++state.version;
      note("has written", page, state.version);
      if (file.geometry().write_through) check_medium(page, state);
    }
    state.written = false;
  }

  void punch(PageFile& file, PageId page) {
    PageState& state = states_[page];
    if (!begin_change(state)) return;
    note("begins to punch", page);
    Op op{.verb = Verb::punch, .page = page};
    state.punched = state.version + 1;  // the medium may have it before it is reaped
    if (carry_out(file, {&op})) ++state.version;
    state.written = false;
  }

  /// The medium has this version of the page, or a later one, whole.
  void check_medium(PageId page, const PageState& before) {
    const os::sim::Image image = kernel_.cut(os::sim::Tearing::none);
    const std::span<const std::byte> all = image.files.at(file_path).bytes;
    const auto version = version_in(page, all.subspan(page * page_bytes, page_bytes));
    if (version && *version >= before.version) return;
    fail({.when = Wrong::When::synced,
          .expected = fmt::format("page {}, version {}, on the medium: a sync has covered it", page,
                                  before.version),
          .found = version ? fmt::format("version {}", *version) : "no version that is whole"});
  }

  void sync_through(PageFile& file) {
    const auto before = states_;
    note("begins to sync");
    Op op{.verb = Verb::sync};
    if (!carry_out(file, {&op})) return;
    note("has synced");
    for (PageId page = 0; page < file.pages() && !failure_; ++page) {
      check_medium(page, before[page]);
      states_[page].synced = std::max(states_[page].synced, before[page].version);
    }
  }

  Random random_;
  os::sim::SimKernel kernel_;
  Schedule schedule_;
  std::vector<std::unique_ptr<PageFile>> handles_;
  std::unique_ptr<PageFile> parent_;
  bool reopening_ = false;
  bool poisoned_ = false;
  std::array<PageState, pages_max> states_{};
  std::size_t next_ = 0;
  std::optional<Wrong> failure_;
  static constexpr PageId no_page = UINT64_MAX;
  struct Act {
    std::uint64_t at_ns;
    std::uintptr_t fiber;
    const char* what;
    PageId page;
    std::uint64_t version;
  };
  std::vector<Act> acts_;
};

/// What the threads did, and between it what the machine did: the last lines.
std::string World::history(std::size_t lines) {
  std::vector<std::pair<std::uint64_t, std::string>> all;
  for (const Act& act : acts_) {
    std::string text = fmt::format("thread {} {}", act.fiber, act.what);
    if (act.page != no_page) text += fmt::format(" page {}", act.page);
    if (act.version != 0) text += fmt::format(", version {}", act.version);
    all.emplace_back(act.at_ns, std::move(text));
  }
  const std::uint64_t begin = acts_.empty() ? 0 : acts_.front().at_ns;
  for (const os::sim::Event& event : kernel_.trace().events()) {
    const std::string_view what = event.what;
    const bool moves =
        what == "preadv" || what == "pwritev" || what == "ring read" || what == "ring write";
    if (!moves || event.begun_ns < begin) continue;
    all.emplace_back(event.ended_ns,
                     fmt::format("  {} of {} from page {} on: {}", what, event.bytes / page_bytes,
                                 event.offset / page_bytes, event.result));
  }
  std::ranges::stable_sort(all, {}, [](const auto& line) { return line.first; });
  std::string text;
  for (std::size_t i = all.size() - std::min(lines, all.size()); i < all.size(); ++i) {
    text += fmt::format("{:>8} ns  {}\n", all[i].first, all[i].second);
  }
  return text;
}

World* world_now = nullptr;

}  // namespace

std::string history_now(std::size_t lines) {
  return world_now == nullptr ? "" : world_now->history(lines);
}

Explored explore(const WorldOf& which) {
  World world(which);
  world_now = &world;
  Explored explored;
  explored.wrong = world.run();
  world_now = nullptr;
  explored.schedule = world.hash();
  explored.poisoned = world.poisoned();
  if (explored.wrong && which.history != 0) explored.history = world.history(which.history);
  return explored;
}

}  // namespace pagealloc::cache
