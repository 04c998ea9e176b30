#include "harness/crash/timeline.h"

#include <fmt/format.h>
#include <string.h>

#include <string_view>

namespace pagealloc::crash {

using os::sim::Event;

namespace {

/// Of these the place and length are worth reading.
bool moves_bytes(std::string_view what) {
  return what == "preadv" || what == "pwritev" || what == "msync" || what == "fallocate" ||
         what == "ring read" || what == "ring write" || what == "ring fallocate" ||
         what == "issued" || what == "reaped";
}

std::string answer_of(std::int64_t result) {
  if (result >= 0) return fmt::format("{}", result);
  const char* name = strerrorname_np(static_cast<int>(-result));
  return name == nullptr ? fmt::format("{}", result) : name;
}

std::string line_of(const Event& event) {
  const std::string_view what(event.what);
  std::string line = fmt::format("{:12.1f} us  ", static_cast<double>(event.ended_ns) / 1000);
  if (what == "commit" || what == "acknowledged") {
    return line + fmt::format("---- {} {}\n", what, event.offset);
  }
  if (what == "durable") {
    return line + fmt::format("  durable: {} bytes of file {}\n", event.bytes, event.inode);
  }
  line += fmt::format("{:<18}", what);
  if (event.inode != 0) line += fmt::format(" file {}", event.inode);
  if (moves_bytes(what))
    line += fmt::format("  offset {:>6} {:>6} bytes", event.offset, event.bytes);
  if (what != "issued") line += fmt::format("  -> {}", answer_of(event.result));
  return line + "\n";
}

}  // namespace

std::string timeline_of(os::sim::SimKernel& kernel) {
  std::string text;
  for (const Event& event : kernel.trace().events()) text += line_of(event);
  for (const Event* event : kernel.calls_under_way()) {
    text += fmt::format("{:>15}  {:<18} under way since {:.1f} us\n", "", event->what,
                        static_cast<double>(event->begun_ns) / 1000);
  }
  return text;
}

std::string text_of(std::span<const os::sim::Fate> fates) {
  std::string text = "==== the power goes\n";
  for (const os::sim::Fate& fate : fates) {
    text += fmt::format("{:>15}  {:<8} {} of file {}", "", fate.fate, fate.what, fate.inode);
    if (fate.bytes > 0) text += fmt::format("  offset {:>6} {:>6} bytes", fate.offset, fate.bytes);
    text += "\n";
  }
  if (fates.empty()) text += fmt::format("{:>15}  everything was durable\n", "");
  return text;
}

}  // namespace pagealloc::crash
