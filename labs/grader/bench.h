// What the labs' tests share: a simulated machine with a file of pages, the test kernel on top of
// it, and what a stranger and a power cut do to both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "labs/grader/grader.h"
#include "pagealloc/conformance/pattern.h"
#include "pagealloc/conformance/test_kernel.h"
#include "pagealloc/error.h"
#include "pagealloc/options.h"
#include "pagealloc/os/sim/kernel.h"

namespace pagealloc::labs {

inline constexpr const char* bench_path = "/d/pages.pa";

using conformance::pattern;

/// `pages` pages of version 0, all allocated.
os::sim::FileImage file_of(std::uint64_t pages, std::size_t page_bytes = 4096);

/// Memory of the test: aligned to 4096 bytes, filled with `filler`, and a page of it behind the
/// end, which nobody may write.
class Memory {
 public:
  static constexpr std::byte filler{0xEE};
  explicit Memory(std::size_t bytes);
  std::byte* data() { return bytes_.get(); }
  std::span<std::byte> bytes() { return {bytes_.get(), bytes_count_}; }
  /// Is the page behind the end as it was?
  bool behind_untouched() const;
  /// From here on nothing but filler is left; bytes() if the last byte is something else.
  std::size_t filled_bytes() const;

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::size_t bytes_count_;
  std::unique_ptr<std::byte, Free> bytes_;
};

/// The machine of a test. What the student's code calls goes through `kernel`, which logs it; what
/// the test itself does goes to `sim` and is neither logged nor changed by injected faults.
class Bench {
 public:
  struct Setup {
    std::uint64_t pages = 8;
    std::uint32_t page_bytes = 4096;
    std::string impl = "pread";
    os::sim::Machine machine =
        {};                    ///< its seed is the test's, its image gets the file of the bench
    std::uint64_t number = 0;  ///< of a test on several machines: each has a seed of its own
  };
  /// /d/pages.pa, all version 0 and durable. A test that makes calls without end is ended.
  Bench(Test& test, Setup setup);
  explicit Bench(Test& test) : Bench(test, Setup{}) {}

  /// For opening the file of the bench, through `kernel`. Without a sync at open.
  Options options() const { return options_; }

  // --- A stranger's hand: not through the student's code ---
  void raw_write(PageId page, std::uint64_t version, const std::string& path = bench_path);
  std::vector<std::byte> raw_read(PageId page, const std::string& path = bench_path);
  void raw_resize(std::uint64_t bytes, const std::string& path = bench_path);
  std::uint64_t raw_bytes(const std::string& path = bench_path);
  /// The blocks of 512 bytes that the file has, as statx counts them.
  std::uint64_t raw_blocks(const std::string& path = bench_path);
  /// The version that these bytes of `page` are; nullopt: none of 0 to 15.
  std::optional<std::uint64_t> version_of(PageId page, std::span<const std::byte> bytes) const;

  /// `count` media that a power cut at this moment may leave, each drawn anew.
  std::vector<os::sim::Image> cuts(std::size_t count,
                                   os::sim::Tearing tearing = os::sim::Tearing::sector);
  /// A page on a medium; empty when the file is not there or too short.
  std::vector<std::byte> page_on(const os::sim::Image& image, PageId page,
                                 const std::string& path = bench_path) const;
  /// In how many of these media `page` is not version `version`; `first` is one of them.
  struct Lost {
    std::size_t count = 0;
    std::vector<std::byte> first = {};
  };
  Lost lost(std::span<const os::sim::Image> images, PageId page, std::uint64_t version,
            const std::string& path = bench_path) const;
  /// In how many of these media there is no such file.
  static std::size_t nameless(std::span<const os::sim::Image> images, const std::string& path);

  /// The calls in the log, one a line: "preadv(offset 20480, 4096 bytes) = 1554".
  std::string calls() const;
  std::vector<conformance::Record> calls_of(os::Call call) const;
  /// What the machine has done since the test began, call by call, with times.
  std::string timeline();

  os::sim::SimKernel sim;
  conformance::TestKernel kernel;

 private:
  int raw_open(const std::string& path);
  struct statx raw_statx(const std::string& path);
  Test& test_;
  std::uint32_t page_bytes_;
  Options options_;
};

/// What open() was asked for: "O_RDWR|O_DIRECT|O_CLOEXEC".
std::string text_of_flags(int flags);
/// "io, errno 5 (Input/output error)".
std::string text_of(Errc result, int os_error);
/// "PROT_READ, MAP_SHARED|MAP_NORESERVE".
std::string text_of_map(int protection, int flags);
/// One line for each record; long lists are cut in the middle.
std::string text_of(std::span<const conformance::Record> records);
/// A page by its sectors of 512 bytes, beside what was expected: as expected, older, never filled,
/// damaged. `name` tells the versions apart.
std::string picture_of(PageId page, std::span<const std::byte> found, std::uint64_t expected,
                       std::span<const std::uint64_t> older);

}  // namespace pagealloc::labs
