// What the simulated kernel was asked and what it answered: a hash of all of it, and for people the
// events themselves.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pagealloc::os::sim {

struct Event {
  std::uint64_t begun_ns;
  std::uint64_t ended_ns;
  const char* what;  ///< "pwritev", "ring write", "durable" ...
  std::uint64_t inode;
  std::uint64_t offset;
  std::uint64_t bytes;
  std::int64_t result;
};

class Trace {
 public:
  void note(const Event& event) {
    for (const char* letter = event.what; *letter != '\0'; ++letter) {
      add(static_cast<std::uint64_t>(*letter));
    }
    for (const std::uint64_t word : {event.begun_ns, event.ended_ns, event.inode, event.offset,
                                     event.bytes, static_cast<std::uint64_t>(event.result)}) {
      add(word);
    }
    if (kept_) events_.push_back(event);
  }
  std::uint64_t hash() const { return hash_; }
  /// From now on events are kept. Off at first: a run of millions keeps none.
  void keep() { kept_ = true; }
  bool kept() const { return kept_; }
  const std::vector<Event>& events() const { return events_; }

 private:
  void add(std::uint64_t word) {
    hash_ = (hash_ ^ word) * 0x100000001B3ULL;
    hash_ ^= hash_ >> 29;
  }
  std::uint64_t hash_ = 0xCBF29CE484222325ULL;
  bool kept_ = false;
  std::vector<Event> events_;
};

}  // namespace pagealloc::os::sim
