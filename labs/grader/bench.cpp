#include "labs/grader/bench.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <string.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "harness/crash/timeline.h"

namespace pagealloc::labs {

using conformance::Record;
using os::Call;

namespace {

constexpr std::size_t calls_max = 20'000;  // no test needs a tenth of it

/// The test itself cannot go on: its machine does not do what it must. No fault of the student's.
[[noreturn]] void broken(Test& test, std::string_view what, std::int64_t result) {
  test.fail({.expected = fmt::format("the grader's own {} succeeds", what),
             .found = fmt::format("{}", describe(static_cast<int>(-result))),
             .cause = "the grader is broken; please report this",
             .function = {}});
}

}  // namespace

os::sim::FileImage file_of(std::uint64_t pages, std::size_t page_bytes) {
  os::sim::FileImage file;
  for (PageId page = 0; page < pages; ++page) {
    const auto bytes = pattern(page, 0, page_bytes);
    file.bytes.insert(file.bytes.end(), bytes.begin(), bytes.end());
  }
  file.allocated.assign(os::sim::blocks_of(file.bytes.size()), true);
  return file;
}

// --- Memory -------------------------------------------------------------------------------------

void Memory::Free::operator()(std::byte* memory) const { std::free(memory); }

Memory::Memory(std::size_t bytes) : bytes_count_(bytes) {
  constexpr std::size_t align = 4096;
  const std::size_t rounded = (bytes + align - 1) / align * align + align;
  bytes_.reset(static_cast<std::byte*>(std::aligned_alloc(align, rounded)));
  std::fill_n(bytes_.get(), bytes + align, filler);
}

bool Memory::behind_untouched() const {
  constexpr std::size_t behind_bytes = 4096;
  return std::all_of(bytes_.get() + bytes_count_, bytes_.get() + bytes_count_ + behind_bytes,
                     [](std::byte each) { return each == filler; });
}

std::size_t Memory::filled_bytes() const {
  std::size_t filled = bytes_count_;
  while (filled > 0 && bytes_.get()[filled - 1] == filler) --filled;
  return filled;
}

// --- Bench --------------------------------------------------------------------------------------

namespace {

os::sim::Machine machine_of(const Test& test, const Bench::Setup& setup) {
  os::sim::Machine machine = setup.machine;
  constexpr std::uint64_t apart = 1'000'003;  // no machine of one seed is one of the next seed's
  machine.seed = test.seed() + setup.number * apart;
  machine.image.files["/d"].kind = os::sim::FileKind::directory;
  machine.image.files.try_emplace(bench_path, file_of(setup.pages, setup.page_bytes));
  return machine;
}

}  // namespace

Bench::Bench(Test& test, Setup setup)
    : sim(machine_of(test, setup)), kernel(sim), test_(test), page_bytes_(setup.page_bytes) {
  sim.trace().keep();
  options_.impl = setup.impl;
  options_.page_bytes = setup.page_bytes;
  options_.depth = 8;
  options_.frames = 16;
  options_.sync_at_open = false;
  options_.kernel = &kernel;
  kernel.set_call_limit(calls_max, [this] {
    test_.fail({.expected = "the operation ends",
                .found = fmt::format("more than {} calls, and no end of them", calls_max),
                .cause = "a call that gets nothing done is made again for ever",
                .function = {},
                .evidence = calls()});
  });
}

int Bench::raw_open(const std::string& path) {
  const int fd = sim.open(path.c_str(), O_RDWR | O_CLOEXEC, 0);
  if (fd < 0) broken(test_, "open", fd);
  return fd;
}

void Bench::raw_write(PageId page, std::uint64_t version, const std::string& path) {
  const int fd = raw_open(path);
  auto bytes = pattern(page, version, page_bytes_);
  const iovec iov{bytes.data(), bytes.size()};
  const std::int64_t moved = sim.pwritev(fd, &iov, 1, page * page_bytes_);
  if (moved != static_cast<std::int64_t>(bytes.size())) broken(test_, "pwritev", moved);
  (void)sim.close(fd);
}

std::vector<std::byte> Bench::raw_read(PageId page, const std::string& path) {
  const int fd = raw_open(path);
  std::vector<std::byte> bytes(page_bytes_);
  const iovec iov{bytes.data(), bytes.size()};
  const std::int64_t moved = sim.preadv(fd, &iov, 1, page * page_bytes_);
  if (moved < 0) broken(test_, "preadv", moved);
  bytes.resize(static_cast<std::size_t>(moved));
  (void)sim.close(fd);
  return bytes;
}

void Bench::raw_resize(std::uint64_t bytes, const std::string& path) {
  const int fd = raw_open(path);
  if (const int result = sim.ftruncate(fd, bytes); result < 0) broken(test_, "ftruncate", result);
  (void)sim.close(fd);
}

struct statx Bench::raw_statx(const std::string& path) {
  struct statx now{};
  const int result = sim.statx(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS, &now);
  if (result < 0) broken(test_, "statx", result);
  return now;
}

std::uint64_t Bench::raw_bytes(const std::string& path) { return raw_statx(path).stx_size; }

std::uint64_t Bench::raw_blocks(const std::string& path) { return raw_statx(path).stx_blocks; }

std::optional<std::uint64_t> Bench::version_of(PageId page,
                                               std::span<const std::byte> bytes) const {
  constexpr std::uint64_t versions = 16;
  for (std::uint64_t version = 0; version < versions; ++version) {
    if (std::ranges::equal(bytes, pattern(page, version, page_bytes_))) return version;
  }
  return std::nullopt;
}

std::vector<os::sim::Image> Bench::cuts(std::size_t count, os::sim::Tearing tearing) {
  std::vector<os::sim::Image> images;
  for (std::size_t i = 0; i < count; ++i) images.push_back(sim.cut(tearing));
  return images;
}

std::vector<std::byte> Bench::page_on(const os::sim::Image& image, PageId page,
                                      const std::string& path) const {
  const auto file = image.files.find(path);
  const std::size_t begin = page * page_bytes_;
  if (file == image.files.end() || file->second.bytes.size() < begin + page_bytes_) return {};
  const auto first = file->second.bytes.begin() + static_cast<std::ptrdiff_t>(begin);
  return {first, first + page_bytes_};
}

Bench::Lost Bench::lost(std::span<const os::sim::Image> images, PageId page, std::uint64_t version,
                        const std::string& path) const {
  const auto expected = pattern(page, version, page_bytes_);
  Lost lost;
  for (const os::sim::Image& image : images) {
    auto found = page_on(image, page, path);
    if (found == expected) continue;
    if (lost.count++ == 0) lost.first = std::move(found);
  }
  return lost;
}

std::size_t Bench::nameless(std::span<const os::sim::Image> images, const std::string& path) {
  return static_cast<std::size_t>(std::ranges::count_if(
      images, [&](const os::sim::Image& image) { return !image.files.contains(path); }));
}

std::string Bench::calls() const { return text_of(kernel.log()); }

std::vector<Record> Bench::calls_of(Call call) const {
  std::vector<Record> some;
  std::ranges::copy_if(kernel.log(), std::back_inserter(some),
                       [&](const Record& record) { return record.call == call; });
  return some;
}

std::string Bench::timeline() { return crash::timeline_of(sim); }

// --- Text ---------------------------------------------------------------------------------------

std::string text_of_map(int protection, int flags) {
  std::string text = (protection & PROT_READ) != 0 ? "PROT_READ" : "PROT_NONE";
  if ((protection & PROT_WRITE) != 0) text += "|PROT_WRITE";
  text += (flags & MAP_TYPE) == MAP_PRIVATE ? ", MAP_PRIVATE" : ", MAP_SHARED";
  constexpr std::pair<int, const char*> names[] = {{MAP_ANONYMOUS, "|MAP_ANONYMOUS"},
                                                   {MAP_FIXED, "|MAP_FIXED"},
                                                   {MAP_NORESERVE, "|MAP_NORESERVE"},
                                                   {MAP_POPULATE, "|MAP_POPULATE"},
                                                   {MAP_LOCKED, "|MAP_LOCKED"}};
  for (const auto& [flag, name] : names) {
    if ((flags & flag) != 0) text += name;
  }
  return text;
}

std::string text_of_flags(int flags) {
  struct Name {
    int flag;
    const char* name;
  };
  constexpr Name names[] = {{O_CREAT, "O_CREAT"},    {O_EXCL, "O_EXCL"},
                            {O_TRUNC, "O_TRUNC"},    {O_DIRECTORY, "O_DIRECTORY"},
                            {O_DIRECT, "O_DIRECT"},  {O_DSYNC, "O_DSYNC"},
                            {O_CLOEXEC, "O_CLOEXEC"}};
  const int access = flags & O_ACCMODE;
  std::string text = access == O_RDWR ? "O_RDWR" : access == O_WRONLY ? "O_WRONLY" : "O_RDONLY";
  for (const Name& each : names) {
    if ((flags & each.flag) == each.flag) text += std::string("|") + each.name;
  }
  return text;
}

std::string text_of(Errc result, int os_error) {
  if (os_error == 0) return std::string(name_of(result));
  return fmt::format("{}, errno {} ({})", name_of(result), os_error, describe(os_error));
}

namespace {

bool has_range(Call call) {
  return call == Call::preadv || call == Call::pwritev || call == Call::fallocate ||
         call == Call::fadvise;
}

std::string answer_of(std::int64_t result, bool descriptor) {
  if (result == Record::unanswered) return "no answer yet";
  if (descriptor && result >= os::sim::first_fd)
    return fmt::format("descriptor {}", result - os::sim::first_fd);
  if (result >= 0) return fmt::format("{}", result);
  const char* name = strerrorname_np(static_cast<int>(-result));
  return name == nullptr ? fmt::format("{}", result) : fmt::format("-{}", name);
}

std::string name_of_advice(int advice) {
  constexpr std::pair<int, const char*> names[] = {
      {MADV_NORMAL, "MADV_NORMAL"},     {MADV_RANDOM, "MADV_RANDOM"},
      {MADV_WILLNEED, "MADV_WILLNEED"}, {MADV_SEQUENTIAL, "MADV_SEQUENTIAL"},
      {MADV_DONTNEED, "MADV_DONTNEED"}, {MADV_POPULATE_READ, "MADV_POPULATE_READ"}};
  for (const auto& [number, name] : names) {
    if (number == advice) return name;
  }
  return fmt::format("advice {}", advice);
}

/// "map 2": the second that these records made; one that they did not make is "the map".
std::string name_of_map(std::span<const Record> records, const std::byte* address) {
  std::string name = "the map";
  std::size_t number = 0;
  for (const Record& each : records) {
    if (each.call != Call::mmap || each.result < 0) continue;
    ++number;
    if (address < each.address || address >= each.address + each.bytes) continue;
    name = fmt::format("map {}", number);  // the latest, if there was another one before
    if (address != each.address) name += fmt::format(" + {}", address - each.address);
  }
  return name;
}

/// A call on memory; empty: it is none. Addresses differ from run to run, so maps have names.
std::string line_of_memory(std::span<const Record> before, const Record& record) {
  std::string about;
  if (record.call == Call::msync) about = (record.flags & MS_SYNC) != 0 ? "MS_SYNC" : "MS_ASYNC";
  if (record.call == Call::madvise) about = name_of_advice(record.flags);
  const std::string answer = answer_of(record.result, false);
  switch (record.call) {
    case Call::mmap:
      return fmt::format("mmap({} bytes, {}) = {}\n", record.bytes,
                         text_of_map(record.protection, record.flags),
                         record.result < 0 ? answer : name_of_map(before, record.address));
    case Call::munmap:
      return fmt::format("munmap({}, {} bytes) = {}\n", name_of_map(before, record.address),
                         record.bytes, answer);
    case Call::madvise:
    case Call::msync:
      return fmt::format("{}({}, {} bytes, {}) = {}\n",
                         os::call_names[static_cast<std::size_t>(record.call)],
                         name_of_map(before, record.address), record.bytes, about, answer);
    default:
      return {};
  }
}

std::string line_of(const Record& record) {
  std::string line = record.entry ? "  entry " : "";
  line += os::call_names[static_cast<std::size_t>(record.call)];
  line += "(";
  if (!record.path.empty()) line += record.path;
  if (record.call == Call::open) line += ", " + text_of_flags(record.flags);
  if (record.call == Call::fallocate) {
    const bool punches = (record.flags & FALLOC_FL_PUNCH_HOLE) != 0;
    const bool keeps = (record.flags & FALLOC_FL_KEEP_SIZE) != 0;
    line += punches ? keeps ? "PUNCH_HOLE|KEEP_SIZE, " : "PUNCH_HOLE, "
            : keeps ? "KEEP_SIZE, "
                    : "";
  }
  if (has_range(record.call)) {
    line += fmt::format("offset {}, {} bytes", record.offset, record.bytes);
  } else if (record.call == Call::ftruncate) {
    line += fmt::format("{} bytes", record.bytes);
  } else if (record.path.empty() && record.fd >= 0) {
    line += fmt::format("descriptor {}",
                        record.fd >= os::sim::first_fd ? record.fd - os::sim::first_fd : record.fd);
  }
  const bool opens = record.call == Call::open;
  return line + fmt::format(") = {}\n", answer_of(record.result, opens));
}

}  // namespace

std::string text_of(std::span<const Record> records) {
  constexpr std::size_t head = 12;
  constexpr std::size_t tail = 8;
  std::string text;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records.size() > head + tail + 1 && i == head) {
      text += fmt::format("... {} more ...\n", records.size() - head - tail);
      i = records.size() - tail;
    }
    const std::string memory = line_of_memory(records.first(i + 1), records[i]);
    text += memory.empty() ? line_of(records[i]) : memory;
  }
  return text.empty() ? "no call at all\n" : text;
}

std::string picture_of(PageId page, std::span<const std::byte> found, std::uint64_t expected,
                       std::span<const std::uint64_t> older) {
  if (found.empty()) return fmt::format("page {} is not there\n", page);
  const auto wanted = pattern(page, expected, found.size());
  std::string text = fmt::format("page {}, by sectors of {} bytes:\n", page, os::sim::sector_bytes);
  for (std::size_t at = 0; at < found.size(); at += os::sim::sector_bytes) {
    const std::size_t bytes = std::min<std::size_t>(os::sim::sector_bytes, found.size() - at);
    const auto sector = found.subspan(at, bytes);
    std::string what = "damaged";
    if (std::ranges::equal(sector, std::span(wanted).subspan(at, bytes))) {
      what = fmt::format("version {}, as expected", expected);
    } else if (std::ranges::all_of(sector, [](std::byte b) { return b == Memory::filler; })) {
      what = "never filled (0xEE)";
    } else if (std::ranges::all_of(sector, [](std::byte b) { return b == std::byte{0}; })) {
      what = "zeros";
    }
    for (const std::uint64_t version : older) {
      const auto old = pattern(page, version, found.size());
      if (version != expected && std::ranges::equal(sector, std::span(old).subspan(at, bytes))) {
        what = fmt::format("version {}", version);
      }
    }
    text += fmt::format("  {:>5}  {}\n", at, what);
  }
  return text;
}

}  // namespace pagealloc::labs
