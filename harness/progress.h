// The line that says how far a long run is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pagealloc::harness {

/// On a terminal one line that is rewritten; elsewhere a line for every tenth of the whole.
class Progress {
 public:
  /// `steps` of about equal length are to come.
  explicit Progress(std::size_t steps);
  ~Progress();
  void step(std::string_view name);  ///< the next one begins
  /// Progress within a step that takes long: `share` is 0 ... 1.
  void note(std::string_view name, double share);

 private:
  void show(std::string_view text);
  bool terminal_;
  std::size_t steps_;
  std::size_t begun_ = 0;
  std::size_t tenth_ = 0;
  std::uint64_t start_ns_;
};

}  // namespace pagealloc::harness
