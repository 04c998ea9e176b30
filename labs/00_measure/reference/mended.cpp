#include "labs/00_measure/mended.h"

#include <fcntl.h>

#include <algorithm>

namespace pagealloc::labs::measure {

// --- Task 1: which lie, and the count by which it shows -----------------------------------------

std::array<Finding, 6> findings(std::uint64_t pages) {
  // LAB:BEGIN 1 findings(pages)
  return {{{Lie::warm_called_cold, Count::device_reads, 0, pages},
           {Lie::mean_of_two, Count::groups, 1, 2},
           {Lie::sparse_file, Count::pages_written, 0, pages},
           {Lie::unequal_depth, Count::in_flight, 1, 32},
           {Lie::no_sync, Count::syncs, 0, pages},
           {Lie::dead_read, Count::pages_summed, 0, pages}}};
  // LAB:END
}

// --- Task 2: cold -------------------------------------------------------------------------------

int drop_cached(Bench& bench) {
  // LAB:BEGIN 2 drop_cached(bench)
  os::Kernel& kernel = bench.kernel();
  const int fd = kernel.open(bench.path().c_str(), O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  int result = kernel.fdatasync(fd);
  if (result == 0) result = kernel.fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  const int closed = kernel.close(fd);
  return result < 0 ? result : closed;
  // LAB:END
}

Result<Report> read_all(Bench& bench, File& file, std::vector<std::uint64_t>* latencies) {
  // LAB:BEGIN 2 read_all(bench, file, latencies)
  Report report;
  bench.start();
  const auto read = read_each(bench, file, 1, [&](PageId, auto bytes, std::uint64_t ns) {
    report.sum += sum_of(bytes);
    if (latencies != nullptr) latencies->push_back(ns);
  });
  bench.stop();
  if (!read) return std::unexpected(read.error());
  return report;
  // LAB:END
}

Result<Report> mended_a(Bench& bench) {
  // LAB:BEGIN 2 mended_a(bench)
  auto file = filled_file(bench, bench.options("pread"));
  if (!file) return std::unexpected(file.error());
  if (const int dropped = drop_cached(bench); dropped < 0) {
    return std::unexpected(Error{.code = Errc::io, .os_error = -dropped});
  }
  return read_all(bench, **file, nullptr);
  // LAB:END
}

// --- Task 3: written ----------------------------------------------------------------------------

Result<Report> mended_c(Bench& bench) {
  // LAB:BEGIN 3 mended_c(bench)
  auto file = filled_file(bench, bench.options("direct"));
  if (!file) return std::unexpected(file.error());
  return read_all(bench, **file, nullptr);
  // LAB:END
}

// --- Task 4: one number for one kind of operation -----------------------------------------------

std::vector<Group> groups_of(std::vector<std::uint64_t> ns) {
  // LAB:BEGIN 4 groups_of(ns)
  std::ranges::sort(ns);
  const std::size_t least = (ns.size() + 19) / 20;
  std::size_t split = least;
  for (std::size_t i = least + 1; i + least <= ns.size(); ++i) {
    if (ns[i] - ns[i - 1] > ns[split] - ns[split - 1]) split = i;
  }
  const Group low{split, ns[split / 2]};
  const Group high{ns.size() - split, ns[split + (ns.size() - split) / 2]};
  if (high.median_ns * 5 <= low.median_ns * 6) return {{ns.size(), ns[ns.size() / 2]}};
  return {low, high};
  // LAB:END
}

Result<Report> mended_b(Bench& bench) {
  // LAB:BEGIN 4 mended_b(bench)
  auto file = filled_file(bench, bench.options("pread"));
  if (!file) return std::unexpected(file.error());
  if (const int dropped = drop_cached(bench); dropped < 0) {
    return std::unexpected(Error{.code = Errc::io, .os_error = -dropped});
  }
  for (PageId page = 0; page < bench.pages(); page += 2) {
    if (auto ref = read_page(**file, page); !ref) return std::unexpected(ref.error());
  }
  std::vector<std::uint64_t> latencies;
  auto report = read_all(bench, **file, &latencies);
  if (report) report->groups = groups_of(latencies);
  return report;
  // LAB:END
}

// --- Task 5: the same job on both sides ---------------------------------------------------------

Result<Report> mended_d(Bench& bench) {
  // LAB:BEGIN 5 mended_d(bench)
  constexpr std::uint32_t depth = 32;
  {
    const auto file = filled_file(bench, bench.options("pread"));
    if (!file) return std::unexpected(file.error());
  }
  if (const int dropped = drop_cached(bench); dropped < 0) {
    return std::unexpected(Error{.code = Errc::io, .os_error = -dropped});
  }
  Options pool = bench.options("pread");
  pool.threads = depth;
  const auto one = read_side(bench, "pread", pool, depth);
  if (!one) return std::unexpected(one.error());
  if (const int dropped = drop_cached(bench); dropped < 0) {
    return std::unexpected(Error{.code = Errc::io, .os_error = -dropped});
  }
  Options ring = bench.options("uring");
  ring.depth = depth;
  const auto other = read_side(bench, "ring", ring, depth);
  if (!other) return std::unexpected(other.error());
  return Report{.sum = *one + *other};
  // LAB:END
}

// --- Task 6: durable ----------------------------------------------------------------------------

Result<Report> mended_e(Bench& bench) {
  // LAB:BEGIN 6 mended_e(bench)
  auto file = filled_file(bench, bench.options("pread"));
  if (!file) return std::unexpected(file.error());
  bench.start();
  for (std::uint64_t i = 0; i < bench.pages(); ++i) {
    const PageId page = bench.page_at(i);
    const auto written = write_page(**file, page, bench.content(page));
    if (!written) return std::unexpected(written.error());
    const auto durable = sync(**file);
    if (!durable) return std::unexpected(durable.error());
    bench.done(page);
  }
  bench.stop();
  return Report{.writes_per_sync = 1};
  // LAB:END
}

// --- Task 7: used -------------------------------------------------------------------------------

Result<Report> mended_f(Bench& bench) {
  // LAB:BEGIN 7 mended_f(bench)
  auto file = filled_file(bench, bench.options("mmap"));
  if (!file) return std::unexpected(file.error());
  Report report;
  bench.start();
  for (std::uint64_t i = 0; i < bench.pages(); ++i) {
    const PageId page = bench.page_at(i);
    report.sum += sum_of({(*file)->peek(page), page_bytes});
  }
  bench.stop();
  return report;
  // LAB:END
}

// --- Task 8: the counts alone -------------------------------------------------------------------

std::optional<Lie> lie_of(const Claim& claim, const Counts& counts) {
  // LAB:BEGIN 8 lie_of(claim, counts)
  const auto fewer = [](std::optional<std::uint64_t> count, std::uint64_t than) {
    return count && *count < than;
  };
  if (claim.reads && fewer(counts.pages_written, counts.pages)) return Lie::sparse_file;
  if (claim.cold && fewer(counts.device_reads, counts.pages)) return Lie::warm_called_cold;
  if (claim.durable && counts.syncs && *counts.syncs * counts.writes_per_sync < counts.pages) {
    return Lie::no_sync;
  }
  if (claim.reads && fewer(counts.pages_summed, counts.pages)) return Lie::dead_read;
  if (claim.duration && counts.kinds && fewer(counts.groups, *counts.kinds)) {
    return Lie::mean_of_two;
  }
  if (claim.compares && counts.in_flight && counts.in_flight_most &&
      *counts.in_flight * 5 < *counts.in_flight_most * 4) {
    return Lie::unequal_depth;
  }
  return std::nullopt;
  // LAB:END
}

}  // namespace pagealloc::labs::measure
