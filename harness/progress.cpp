#include "harness/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "pagealloc/os/kernel.h"

namespace pagealloc::harness {

Progress::Progress(std::size_t steps)
    : terminal_(isatty(STDERR_FILENO) == 1),
      steps_(steps),
      start_ns_(os::linux_kernel().now_ns()) {}

Progress::~Progress() {
  if (terminal_) fmt::print(stderr, "\r\033[K");
}

void Progress::step(std::string_view name) {
  const std::uint64_t gone_ns = os::linux_kernel().now_ns() - start_ns_;
  const std::uint64_t left_s =
      begun_ == 0 ? 0 : gone_ns * (steps_ - begun_) / begun_ / 1'000'000'000;
  const std::string left =
      begun_ < 5 ? "" : fmt::format("{}:{:02} left  ", left_s / 60, left_s % 60);
  ++begun_;
  const std::string text = fmt::format("[{:>4}/{}] {}{}", begun_, steps_, left, name);
  if (terminal_) return show(text);
  if (const std::size_t tenth = 10 * begun_ / steps_; tenth > tenth_) {
    tenth_ = tenth;
    fmt::print(stderr, "{}\n", text);
  }
}

void Progress::note(std::string_view name, double share) {
  if (terminal_) show(fmt::format("{} {:.0f} %", name, 100 * share));
}

void Progress::show(std::string_view text) {
  // Cut, because a line that wraps cannot be rewritten.
  fmt::print(stderr, "\r\033[K{}", text.substr(0, 78));
  std::fflush(stderr);
}

}  // namespace pagealloc::harness
