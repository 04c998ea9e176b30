#include "labs/grader/report.h"

#include <execinfo.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

extern "C" const char __ehdr_start;  // where the program was loaded; the linker makes it (ld(1))

namespace pagealloc::labs {

namespace {

int report_fd = -1;
std::string end_word;

// A report that cannot be written is one that the parent misses, and it says so.
void write_line(const char* text, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t written = ::write(report_fd, text, bytes);
    if (written <= 0) return;
    text += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

void write_line(const nlohmann::json& json) {
  const std::string line =
      json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
  write_line(line.data(), line.size());
}

// In a signal handler: no memory but this, nothing that locks.
void on_signal(int number) {
  std::array<void*, 40> frames{};
  const int count = backtrace(frames.data(), static_cast<int>(frames.size()));
  std::array<char, 1600> line{};
  const auto room = [&](char* at) {
    return static_cast<std::size_t>(line.data() + line.size() - at);
  };
  char* end =
      fmt::format_to_n(line.data(), line.size() - 64, "{{\"signal\": {}, \"frames\": [", number)
          .out;
  for (int i = 0; i < count && room(end) > 64; ++i) {
    const auto offset = reinterpret_cast<std::uintptr_t>(frames[static_cast<std::size_t>(i)]) -
                        reinterpret_cast<std::uintptr_t>(&__ehdr_start);
    end = fmt::format_to_n(end, room(end) - 8, "{}{}", i == 0 ? "" : ", ", offset).out;
  }
  end = fmt::format_to_n(end, room(end), "]}}\n").out;
  write_line(line.data(), static_cast<std::size_t>(end - line.data()));
  // SA_RESETHAND: this time it ends the process, and the parent sees by which signal.
  (void)raise(number);
}

}  // namespace

void report_to(int fd, const Words& words, const std::string& id, std::uint64_t seed) {
  report_fd = fd;
  end_word = words.end;
  write_line({{"begin", words.begin}, {"id", id}, {"seed", seed}});
}

void report_trouble(const std::string& likely_cause) { write_line({{"trouble", likely_cause}}); }

void report_end(std::uint64_t checks, const Failure* failure) {
  nlohmann::json json = {{"end", end_word}, {"checks", checks}, {"failure", nullptr}};
  if (failure != nullptr) {
    json["failure"] = {{"expected", failure->expected},
                       {"found", failure->found},
                       {"cause", failure->cause},
                       {"function", failure->function},
                       {"evidence", failure->evidence}};
  }
  write_line(json);
}

void report_signals() {
  std::array<void*, 1> warm{};
  (void)backtrace(warm.data(), 1);  // loads what it needs now and not in the handler
  // A stack of their own: one that has overflowed can carry nobody. It stays until the end.
  static std::array<char, 64U << 10> stack;
  stack_t alternative{};
  alternative.ss_sp = stack.data();
  alternative.ss_size = stack.size();
  if (sigaltstack(&alternative, nullptr) < 0) std::abort();
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_ONSTACK | static_cast<int>(SA_RESETHAND);
  for (const int number : {SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGXCPU, SIGXFSZ, SIGTERM}) {
    if (sigaction(number, &action, nullptr) < 0) std::abort();
  }
}

}  // namespace pagealloc::labs
