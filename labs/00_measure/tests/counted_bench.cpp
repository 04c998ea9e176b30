#include "labs/00_measure/tests/counted_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

#include "harness/crash/timeline.h"

namespace pagealloc::labs::measure {

namespace {

constexpr std::uint64_t zeros = UINT64_MAX;  // the version of a file that nobody has written

os::sim::Machine machine_of(const CountedBench::Setup& setup) {
  os::sim::Machine machine;
  machine.seed = setup.seed;
  machine.image.files["/d"].kind = os::sim::FileKind::directory;
  return machine;
}

/// 128 to 256, and even.
std::uint64_t pages_of(std::uint64_t seed) {
  Random random(seed);
  return 128 + 2 * random.below(65);
}

/// Memory that O_DIRECT takes.
struct Aligned {
  alignas(page_bytes) std::byte bytes[page_bytes];
};

}  // namespace

std::uint64_t CountedBench::Section::in_flight() const {
  const std::uint64_t length_ns = std::max<std::uint64_t>(ended_ns - begun_ns, 1);
  return (after.reading_ns - before.reading_ns + length_ns / 2) / length_ns;
}

CountedBench::CountedBench(const Setup& setup)
    : sim(machine_of(setup)),
      setup_(setup),
      pages_(pages_of(setup.seed)),
      order_(pages_, setup.seed) {
  sim.trace().keep();
}

Options CountedBench::options(std::string_view impl) {
  Options options;
  options.impl = impl;
  options.create = true;
  options.kernel = kernel_;
  return options;
}

std::vector<std::byte> CountedBench::bytes_of(PageId page, std::uint64_t version) const {
  std::vector<std::byte> bytes(page_bytes);
  if (version == zeros) return bytes;
  const std::uint64_t first = harness::mix(setup_.seed) ^ version << 48 ^ page << 16;
  for (std::size_t at = 0; at < page_bytes; at += sizeof first) {
    const std::uint64_t word = harness::mix(first + at);
    std::memcpy(bytes.data() + at, &word, sizeof word);
  }
  return bytes;
}

std::span<const std::byte> CountedBench::content(PageId page) {
  content_ = bytes_of(page, content_version_);
  return content_;
}

std::uint64_t CountedBench::count_written() {
  const int fd = sim.open(path().c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC, 0);
  const auto memory = std::make_unique<Aligned>();
  const iovec iov{memory->bytes, page_bytes};
  std::uint64_t written = 0;
  for (PageId page = 0; page < pages_; ++page) {
    if (sim.preadv(fd, &iov, 1, page * page_bytes) != page_bytes) continue;
    if (std::ranges::equal(memory->bytes, bytes_of(page, held_version_))) ++written;
  }
  (void)sim.close(fd);
  return written;
}

/// Other bytes in every page. Past the page cache, which keeps what it has and gets no more.
void CountedBench::rewrite() {
  held_version_ = versions_++;
  const int fd = sim.open(path().c_str(), O_RDWR | O_DIRECT | O_CLOEXEC, 0);
  const auto memory = std::make_unique<Aligned>();
  const iovec iov{memory->bytes, page_bytes};
  for (PageId page = 0; page < pages_; ++page) {
    const auto bytes = bytes_of(page, held_version_);
    std::ranges::copy(bytes, memory->bytes);
    (void)sim.pwritev(fd, &iov, 1, page * page_bytes);
  }
  (void)sim.close(fd);
}

void CountedBench::start(std::string_view side) {
  Section section{.name = std::string(side)};
  section.pages_written = count_written();
  const bool whole = section.pages_written == pages_;
  if (whole && setup_.claim.reads) rewrite();
  if (setup_.claim.durable) content_version_ = versions_++;
  section.version = whole ? held_version_ : zeros;
  if (setup_.empty_cache) {
    const int fd = sim.open(path().c_str(), O_RDONLY | O_CLOEXEC, 0);
    (void)sim.fdatasync(fd);
    (void)sim.fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    (void)sim.close(fd);
  }
  if (setup_.claim.compares) {  // of a copy, for to count them is to read them
    os::sim::SimKernel copy(machine_of(setup_), sim);
    section.pages_cached = pages_ - reads_of_all(copy);
  }
  os::sim::FaultRates faults;
  faults[os::sim::Fault::flush_error] = setup_.syncs_fail ? 1 : 0;
  faults[os::sim::Fault::read_error] = setup_.reads_fail ? 1 : 0;
  if (setup_.syncs_fail || setup_.reads_fail) sim.set_faults(faults);
  section.first_event = sim.trace().events().size();
  section.before = sim.device_counts();
  section.begun_ns = sim.now_ns();
  sections_.push_back(section);
  open_ = true;
}

void CountedBench::stop() {
  if (!open_) return;
  open_ = false;
  Section& section = sections_.back();
  section.ended_ns = sim.now_ns();
  section.after = sim.device_counts();
  section.last_event = sim.trace().events().size();
  sim.set_faults({});
  if (setup_.claim.reads && section.version != zeros) rewrite();
}

void CountedBench::done(PageId page) {
  if (!open_) return;  // it was not measured
  ++done_[page];
  if (!setup_.judge_done || lost_) return;
  const auto expected = bytes_of(page, content_version_);
  for (int cut = 0; cut < 2 && !lost_; ++cut) {
    const auto image = sim.cut(os::sim::Tearing::none);
    const auto file = image.files.find(path());
    const std::size_t begin = page * page_bytes;
    if (file != image.files.end() && file->second.bytes.size() >= begin + page_bytes &&
        std::ranges::equal(std::span(file->second.bytes).subspan(begin, page_bytes), expected)) {
      continue;
    }
    const std::uint64_t before = sections_.empty() ? 0 : sections_.back().before.flushes;
    lost_ = {page, sim.trace().events().size(), sim.device_counts().flushes - before};
  }
}

std::uint64_t CountedBench::sum_of_version(std::uint64_t version, std::size_t bytes) const {
  std::uint64_t sum = 0;
  for (PageId page = 0; page < pages_; ++page) {
    const auto words = bytes_of(page, version);
    sum += sum_of(std::span(words).first(bytes));
  }
  return sum;
}

std::uint64_t CountedBench::right_sum() const {
  std::uint64_t sum = 0;
  for (const Section& section : sections_) sum += sum_of_version(section.version, page_bytes);
  return sum;
}

std::string CountedBench::meaning_of(std::uint64_t sum) const {
  if (sum == 0) return "no page at all";
  std::uint64_t words = 0;
  for (const Section& section : sections_) words += sum_of_version(section.version, sizeof words);
  if (sum == words) return "the first word of each page, and of nothing else";
  if (sum == sum_of_version(0, page_bytes)) return "what the pages held before start()";
  if (sum == sum_of_version(held_version_, page_bytes)) return "what the pages held after stop()";
  if (sections_.size() > 1 && (sum == sum_of_version(sections_[0].version, page_bytes) ||
                               sum == sum_of_version(sections_[1].version, page_bytes))) {
    return "the pages that one of the two sides has read";
  }
  return "some of the bytes, or of some of them more than once";
}

std::vector<std::uint64_t> CountedBench::read_ns() {
  std::vector<std::uint64_t> all;
  const auto& events = sim.trace().events();
  for (std::size_t i = sections_[0].first_event; i < sections_[0].last_event; ++i) {
    if (events[i].what == std::string_view("preadv")) {
      all.push_back(events[i].ended_ns - events[i].begun_ns);
    }
  }
  return all;
}

std::uint64_t CountedBench::cold_pages() { return reads_of_all(sim); }

/// Of the device, to read each page once through the page cache.
std::uint64_t CountedBench::reads_of_all(os::sim::SimKernel& machine) const {
  const int fd = machine.open(path().c_str(), O_RDONLY | O_CLOEXEC, 0);
  std::vector<std::byte> memory(page_bytes);
  const iovec iov{memory.data(), page_bytes};
  const std::uint64_t before = machine.device_counts().reads;
  for (PageId page = 0; page < pages_; ++page) {
    (void)machine.preadv(fd, &iov, 1, page * page_bytes);
  }
  (void)machine.close(fd);
  return machine.device_counts().reads - before;
}

Counts CountedBench::counts(const Report& report) const {
  const auto least = [&](auto number) { return std::ranges::min(sections_, {}, number); };
  Counts counts{.pages = pages_};
  counts.writes_per_sync = report.writes_per_sync;
  counts.groups = report.groups.size();
  if (sections_.empty()) return counts;
  counts.pages_written = least(&Section::pages_written).pages_written;
  counts.device_reads = least(&Section::device_reads).device_reads();
  counts.in_flight = least(&Section::in_flight).in_flight();
  counts.in_flight_most = std::ranges::max(sections_, {}, &Section::in_flight).in_flight();
  counts.kinds = *counts.device_reads > 0 && *counts.device_reads < pages_ ? 2 : 1;
  counts.pages_summed = report.sum == right_sum() ? pages_ : 0;
  counts.syncs = sections_[0].after.flushes - sections_[0].before.flushes;
  return counts;
}

std::string events_before(CountedBench& bench, std::size_t end, std::size_t lines) {
  const std::string all = crash::timeline_of(bench.sim);
  std::string text;
  std::size_t event = 0;
  for (std::size_t at = 0; at < all.size() && event < end; ++event) {
    const std::size_t next = std::min(all.find('\n', at), all.size() - 1) + 1;
    if (event + lines >= end) text += all.substr(at, next - at);
    at = next;
  }
  return text;
}

std::string text_of(const Claim& claim, const Counts& counts) {
  std::string text;
  const auto line = [&](std::string_view name, const std::optional<std::uint64_t>& count,
                        std::string_view what) {
    text +=
        fmt::format("{:<14}{:>8}  {}\n", name, count ? fmt::to_string(*count) : "unknown", what);
  };
  line("pages", counts.pages, "that the claim is about");
  line("pages_written", counts.pages_written, "held at start() what was to be written");
  if (claim.reads) {
    line("device_reads", counts.device_reads, "asked the device between start() and stop()");
    line("pages_summed", counts.pages_summed, "have all their bytes in the sum");
  }
  if (claim.compares) {
    line("in_flight", counts.in_flight, "reads in the device at a time, on average");
    line("", counts.in_flight_most, "of them on the other side");
  }
  if (claim.duration) {
    line("kinds", counts.kinds, "of reads: 2 if some asked the device and some did not");
    line("groups", counts.groups, "of latencies in the report");
  }
  if (claim.durable) {
    line("syncs", counts.syncs, "emptied the device's cache");
    line("", counts.writes_per_sync, "writes for each, as the report says");
  }
  return text;
}

}  // namespace pagealloc::labs::measure
