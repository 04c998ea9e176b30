#include "labs/05_depth/tests/rig.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "pagealloc/open.h"

namespace pagealloc::labs {

namespace {

/// What a kernel has under way it may fill at any time; the simulated one fills it with these.
constexpr std::byte under_way{0xDB};

[[noreturn]] void broken(Test& test, const std::string& found) {
  test.fail({.expected = "the grader's own steps succeed",
             .found = found,
             .cause = "the grader is broken; please report this",
             .function = {}});
}

}  // namespace

std::string text_of(const Op& op) {
  if (op.verb == Verb::sync) return "sync";
  return fmt::format("{} of page {}", name_of(op.verb), op.page);
}

std::string result_of(const Op& op) { return text_of(op.result, op.os_error); }

std::string difference(PageId page, std::uint64_t version, std::span<const std::byte> found) {
  const auto wanted = pattern(page, version, found.size());
  const auto [first, unused] = std::ranges::mismatch(found, wanted);
  if (first == found.end()) return {};
  const auto rest = std::span(first, found.end());
  const auto from = first - found.begin();
  if (std::ranges::all_of(rest, [](std::byte each) { return each == under_way; })) {
    return fmt::format("from byte {} on 0xDB, which is memory that nothing was read into", from);
  }
  for (PageId other = 0; other < 128; ++other) {
    if (std::ranges::equal(found, pattern(other, 0, found.size()))) {
      return fmt::format("the bytes of page {}", other);
    }
  }
  return fmt::format("other bytes from byte {} on", from);
}

Rig::Rig(Test& test, Setup setup)
    : bench(test, {.pages = setup.pages, .impl = setup.impl, .number = setup.number}),
      test_(test),
      pool_(setup.impl == "pread"),
      pages_(setup.pages) {
  Options options = bench.options();
  options.threads = setup.threads;
  options.depth = setup.depth;
  options.frames = setup.frames;
  options.direct = setup.direct;
  auto opened = open(bench_path, options);
  if (!opened) broken(test, opened.error().text());
  file = std::move(*opened);
  bench.kernel.clear_log();
}

Op& Rig::write(PageId page, std::uint64_t version) {
  std::byte* const frame = file->stage(page, 1);
  if (frame == nullptr) broken(test_, "no frame");
  std::ranges::copy(pattern(page, version), frame);
  return add({.verb = Verb::write, .page = page, .frame = frame});
}

void Rig::submit(std::span<Op* const> batch) {
  const std::size_t taken = file->submit(batch);
  in_flight_ += taken;
  if (taken != batch.size()) broken(test_, "an operation was not taken");
}

void Rig::submit(Op& op) {
  Op* const batch[] = {&op};
  submit(batch);
}

std::vector<Op*> Rig::reap(std::size_t wait_for) {
  std::array<Op*, 64> done{};
  const std::size_t wanted = std::min(wait_for, in_flight_);
  const std::size_t count = file->reap(done, wait_for);
  if (count < wanted) {
    test_.fail(
        {.expected = fmt::format("reap(done, {}) comes back with {}{} that are in flight", wait_for,
                                 wanted == in_flight_ ? std::string("all ")
                                                      : fmt::format("at least {} of the ", wanted),
                                 in_flight_),
         .found = fmt::format("it came back with {}", count),
         .cause = pool_ ? "advance() counts what has begun and what was collected; what is "
                          "in neither number is not waited for"
                        : "advance() must go on until as many have ended as are wanted, or "
                          "no entry is outstanding",
         .function = advance(),
         .evidence = bench.calls()});
  }
  in_flight_ -= count;
  return {done.begin(), done.begin() + static_cast<std::ptrdiff_t>(count)};
}

Op& Rig::run(Op& op) {
  submit(op);
  (void)reap(1);
  return op;
}

std::string Rig::wrong_with(Op& op) {
  if (op.result != Errc::ok) return result_of(op);
  if (op.verb != Verb::read) return {};
  if (op.frame == nullptr) return "ok, and no frame";
  const std::string wrong = difference(op.page, 0, {op.frame, 4096});
  file->release(op.frame, 1);
  return wrong.empty() ? wrong : "ok, and " + wrong;
}

void Rig::must_be_ok(Op& op, const std::string& cause, const char* function) {
  const std::string wrong = wrong_with(op);
  if (test_.holds(wrong.empty())) return;
  test_.fail({.expected = fmt::format("{}: ok", text_of(op)) +
                          (op.verb == Verb::read ? ", and the page's 4096 bytes" : ""),
              .found = fmt::format("{}: {}", text_of(op), wrong),
              .cause = cause,
              .function = function,
              .evidence = bench.calls()});
}

std::vector<PageId> Rig::pages(std::size_t count) {
  std::vector<PageId> all(pages_);
  std::iota(all.begin(), all.end(), PageId{0});
  for (std::size_t i = 0; i < count; ++i) {
    std::swap(all[i], all[i + test_.random().below(all.size() - i)]);
  }
  all.resize(count);
  return all;
}

}  // namespace pagealloc::labs
