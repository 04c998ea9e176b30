#include "harness/job.h"

#include <fmt/format.h>

#include <algorithm>

namespace pagealloc::harness {

const char* name_of(Workload workload) {
  switch (workload) {
    case Workload::sequential_read:
      return "sequential_read";
    case Workload::random_warm:
      return "random_warm";
    case Workload::random_cold:
      return "random_cold";
    case Workload::durable_write:
      return "durable_write";
  }
  return "unknown";
}

bool goes_direct(const Job& job) {
  const bool by_default = job.options.impl == "direct" || job.options.impl == "uring";
  return job.options.direct.value_or(by_default ? Direct::require : Direct::off) != Direct::off;
}

std::uint32_t Job::wait_for() const {
  // A quarter of the queue: few system calls, and the device never runs dry. fio is told the same.
  return std::max(depth / 4, 1U);
}

std::string Job::name() const {
  std::string name = fmt::format("{}/{}", name_of(workload), noise ? "fio" : options.impl);
  if (noise) name += "/" + peer;
  if (!variant.empty()) name += "/" + variant;
  if (threads > 1) {
    name += fmt::format("/threads:{}", threads);
  } else {
    name += fmt::format("/depth:{}", depth);
  }
  if (batch > 0) name += fmt::format("/batch:{}", batch);
  return name;
}

namespace {

class Jobs {
 public:
  explicit Jobs(std::uint32_t page_bytes) : page_bytes_(page_bytes) {}

  Job& add(Workload workload, std::string impl, std::string variant, std::string peer) {
    Job job;
    job.workload = workload;
    job.options.impl = std::move(impl);
    job.options.page_bytes = page_bytes_;
    job.options.access =
        workload == Workload::sequential_read ? Access::sequential : Access::random;
    job.variant = std::move(variant);
    job.peer = std::move(peer);
    return list.emplace_back(std::move(job));
  }
  void add_pool(Workload workload, std::uint32_t threads) {
    Job& job = add(workload, "pread", "pool", "psync");
    job.options.threads = threads;
    job.threads = threads;
    job.depth = threads;
  }
  // A write into the page cache takes less time than handing it to a pool, so writers are threads
  // with a handle each.
  void add_writers(Workload workload, std::uint32_t threads, std::uint32_t batch) {
    Job& job = add(workload, "pread", "handles", "psync");
    job.threads = threads;
    job.handles = true;
    job.batch = batch;
  }
  Job& add_uring(Workload workload, std::uint32_t depth, bool direct, std::uint32_t batch = 0) {
    Job& job = add(workload, "uring", direct ? "direct" : "buffered", "io_uring");
    if (!direct) job.options.direct = Direct::off;
    job.depth = depth;
    job.batch = batch;
    // With registered buffers the kernel refuses fio's syncs (EINVAL, seen in fio 3.33), and fio
    // takes that for a sync. So neither side registers any.
    job.options.registered_buffers = batch == 0;
    return job;
  }
  void add_noise(Workload workload, const std::string& engine, bool direct, std::uint32_t depth,
                 std::uint32_t batch = 0) {
    Job& job = add(workload,
                   engine == "io_uring" ? "uring"
                   : engine == "mmap"   ? "mmap"
                                        : "pread",
                   direct ? "direct" : "buffered", engine);
    job.options.direct = direct ? Direct::require : Direct::off;
    job.depth = depth;
    job.batch = batch;
    job.noise = true;
  }

  std::vector<Job> list;

 private:
  std::uint32_t page_bytes_;
};

void add_sequential(Jobs& jobs, Mode mode, std::uint32_t page_bytes) {
  constexpr Workload workload = Workload::sequential_read;
  constexpr std::uint32_t request_bytes = 256 * 1024;
  const std::size_t first = jobs.list.size();
  jobs.add(workload, "pread", "", "psync");
  jobs.add(workload, "mmap", "sum", "mmap");
  jobs.add(workload, "direct", "", "psync");
  for (std::uint32_t depth = 1; depth <= 32; depth *= 2) {
    if (mode == Mode::full || depth == 4) jobs.add_uring(workload, depth, true);
  }
  jobs.add_noise(workload, "psync", false, 1);
  jobs.add_noise(workload, "psync", true, 1);
  for (std::size_t i = first; i < jobs.list.size(); ++i) {
    jobs.list[i].run = std::max(request_bytes / page_bytes, 1U);
  }
}

void add_warm(Jobs& jobs, Mode mode) {
  constexpr Workload workload = Workload::random_warm;
  jobs.add(workload, "pread", "", "psync");
  // A map has nothing in flight, but of eight pages offered at once it can have the first lines
  // fetched while the one before is summed.
  jobs.add(workload, "mmap", "sum", "mmap").depth = 8;
  jobs.add(workload, "mmap", "touch", "").use = Use::touch;
  for (std::uint32_t depth = 1; depth <= 128; depth *= 2) {
    if (mode == Mode::full || depth == 1 || depth == 32) jobs.add_uring(workload, depth, false);
  }
  jobs.add(workload, "direct", "", "").unavailable =
      "O_DIRECT does not use the page cache, so it has no warm reads";
  jobs.add_noise(workload, "psync", false, 1);
  jobs.add_noise(workload, "io_uring", false, 32);
}

void add_cold(Jobs& jobs, Mode mode) {
  constexpr Workload workload = Workload::random_cold;
  jobs.add(workload, "pread", "", "psync");
  jobs.add(workload, "mmap", "sum", "mmap");
  jobs.add(workload, "mmap", "touch", "").use = Use::touch;
  jobs.add(workload, "direct", "", "psync");
  for (std::uint32_t n = 1; n <= 128; n *= 2) {
    const bool chosen = mode != Mode::quick || n == 1 || n == 8 || n == 32 || n == 128;
    if (!chosen) continue;
    jobs.add_uring(workload, n, true);
    if (n > 1 && n <= 32) jobs.add_pool(workload, n);
  }
  jobs.add_uring(workload, 32, false);
  jobs.add_noise(workload, "psync", false, 1);
  jobs.add_noise(workload, "psync", true, 1);
  jobs.add_noise(workload, "io_uring", true, 32);
}

void add_durable(Jobs& jobs, Mode mode) {
  constexpr Workload workload = Workload::durable_write;
  for (const std::uint32_t batch : {1U, 64U}) {
    jobs.add(workload, "pread", "", "psync").batch = batch;
    jobs.add(workload, "mmap", "pwrite", "psync").batch = batch;
    Job& map = jobs.add(workload, "mmap", "map", "mmap");
    map.batch = batch;
    map.options.write_path = WritePath::map;
    jobs.add(workload, "direct", "", "psync").batch = batch;
    jobs.add_uring(workload, 1, true, batch);
    jobs.add_noise(workload, "psync", false, 1, batch);
    jobs.add_noise(workload, "psync", true, 1, batch);
  }
  for (std::uint32_t threads = 2; threads <= 32; threads *= 2) {
    if (mode == Mode::full || threads == 8) jobs.add_writers(workload, threads, 64);
  }
  for (std::uint32_t depth = 2; depth <= 128; depth *= 2) {
    const bool chosen = mode == Mode::full || depth == 8 || (depth == 32 && mode != Mode::quick);
    if (chosen) jobs.add_uring(workload, depth, true, 64);
  }
}

}  // namespace

std::vector<Job> jobs_of(Mode mode, std::uint32_t page_bytes) {
  Jobs jobs(page_bytes);
  add_sequential(jobs, mode, page_bytes);
  add_warm(jobs, mode);
  add_cold(jobs, mode);
  add_durable(jobs, mode);
  for (Job& job : jobs.list) {
    // A pool is offered three times its threads, so that a worker never waits for the one who feeds
    // it; the device sees no more than `threads` at once.
    job.options.depth = job.options.threads > 1 ? 3 * job.options.threads : job.depth;
    job.options.frames = std::max(2 * job.options.depth * job.run, 16U);
  }
  return std::move(jobs.list);
}

}  // namespace pagealloc::harness
