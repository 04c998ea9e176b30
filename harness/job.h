// One thing to measure: a workload on one implementation, with its dimensions, and its peer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pagealloc/options.h"

namespace pagealloc::harness {

enum class Workload : std::uint8_t { sequential_read, random_warm, random_cold, durable_write };
const char* name_of(Workload workload);

/// How a read page is used.
enum class Use : std::uint8_t {
  sum,   ///< every word added up: all bytes are touched
  touch  ///< one word, through peek: what a map can do that no other can
};

struct Job {
  Workload workload = Workload::random_cold;
  Options options;            ///< impl, access, direct, write_path, threads, depth, frames
  std::string variant;        ///< tells rows of one implementation apart
  std::uint32_t depth = 1;    ///< operations in flight; with a pool, of the device: its threads
  std::uint32_t threads = 1;  ///< of pread's pool; `handles`: threads with a handle each
  bool handles = false;
  std::uint32_t batch = 0;  ///< writes per sync; 0: nothing is written
  std::uint32_t run = 1;    ///< pages per operation
  Use use = Use::sum;
  std::string peer;         ///< fio's engine; empty: nothing comparable exists
  bool noise = false;       ///< fio against fio: how far apart do two equal runs fall?
  std::string unavailable;  ///< why it cannot be measured anywhere; empty: it can

  std::uint32_t wait_for() const;  ///< completions that one reap waits for
  std::string name() const;        ///< "random_cold/uring/direct/depth:32"
};

enum class Mode : std::uint8_t { quick, standard, full };

/// Does it pass the page cache by?
bool goes_direct(const Job& job);

/// Everything a run of this mode measures, in the order in which one round goes through it.
std::vector<Job> jobs_of(Mode mode, std::uint32_t page_bytes);

}  // namespace pagealloc::harness
