#include "labs/04_cache/tests/assertions.h"

#include <assert.h>
#include <fmt/format.h>

#include <cstdlib>

namespace pagealloc::labs {

namespace {

Test* test = nullptr;
std::function<Failure(std::string_view)> failure_of_assertion;

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

Blame blame_of_assertion(std::string_view expression, const Blame& otherwise) {
  if (expression == "claimed(frame) && detached(frame)") {
    return {
        "a frame entered a page's place before it had left that of another page: a frame that the "
        "policy gives up leaves its place first (FrameTable::leave)",
        "Cache::take_frame"};
  }
  if (expression == "claimed(frame)") {
    return {
        "a page was evicted while it was lent: its frame was taken although somebody reads it, or "
        "without asking. What FrameTable::claim() answers must be what decides",
        "Cache::take_frame"};
  }
  return otherwise;
}

void on_assertion(Test& t, std::function<Failure(std::string_view)> failure_of) {
  test = &t;
  failure_of_assertion = std::move(failure_of);
}

void expect_trouble(Test& t, const Blame& blame) {
  t.expect_trouble(blame.cause);
  on_assertion(t, [blame](std::string_view expression) -> Failure {
    const Blame known = blame_of_assertion(expression, blame);
    return {.expected = "what the cache relies on holds (its assertions)",
            .found = has(expression, "\"") ? "an assertion that does not, see below"
                                           : fmt::format("{} does not", expression),
            .cause = known.cause,
            .function = known.function};
  });
}

}  // namespace pagealloc::labs

// In place of the C library's.
extern "C" void __assert_fail(const char* expression, const char* file, unsigned line,
                              const char* function) noexcept {
  using namespace pagealloc::labs;
  const std::string_view path = file;
  const auto at = path.rfind("pagealloc/");
  const std::string_view shown = at == std::string_view::npos ? path : path.substr(at);
  const std::string text =
      fmt::format("assertion \"{}\" failed at {}:{}, in\n{}\n", expression, shown, line, function);
  if (failure_of_assertion) {
    Failure failure = failure_of_assertion(expression);
    failure.evidence = text + failure.evidence;
    test->fail(failure);
  }
  fmt::print(stderr, "{}", text);
  std::abort();
}
