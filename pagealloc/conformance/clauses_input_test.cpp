// Clause 16: bad input gives an error that names file, page, offset and cause. And the promise
// behind all of it: on disk all implementations are the same.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "pagealloc/conformance/contract.h"

namespace pagealloc::conformance {

TEST_P(Contract, C16_a_page_beyond_the_end) {
  auto file = open_filled(8);
  const auto beyond = read_page(*file, 9);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, Errc::beyond_end);
  EXPECT_EQ(beyond.error().text(),
            path() + ": page 9 (offset 36864): beyond the end, the file has 8 pages");
  for (const Op& op : {Op{.page = 8}, Op{.run = 2, .page = 7}, Op{.page = UINT64_MAX},
                       Op{.run = UINT32_MAX, .page = 7}, Op{.run = 2, .page = UINT64_MAX},
                       Op{.verb = Verb::punch, .page = 8}, Op{.run = 0, .page = 0}}) {
    const Op back = run_one(*file, op);
    EXPECT_TRUE(back.result == Errc::beyond_end || back.result == Errc::bad_argument)
        << "page " << op.page << " run " << op.run << ": " << name_of(back.result);
  }
  EXPECT_EQ(file->stage(8, 1), nullptr);
  EXPECT_EQ(file->stage(7, 2), nullptr);
  EXPECT_EQ(file->stage(UINT64_MAX, 1), nullptr);
  EXPECT_EQ(file->stage(0, 0), nullptr);
  EXPECT_FALSE(file->resize(UINT64_MAX));
  EXPECT_EQ(file->pages(), 8U);
}

TEST_P(Contract, C16_misaligned_memory_is_refused_where_it_matters) {
  auto file = open_filled(8);
  const std::uint32_t align = file->geometry().align_bytes;
  if (align == 1) return;  // any address will do: nothing to refuse
  alignas(4096) static std::byte memory[3 * 4096];
  const Op op = run_one(*file, Op{.verb = Verb::write, .page = 1, .frame = memory + align / 2});
  EXPECT_EQ(op.result, Errc::misaligned);
  EXPECT_NE(error_of(*file, op).text().find("aligned to"), std::string::npos);
  EXPECT_EQ(file->failed(), Errc::ok);
  expect_page(*file, 1, 0);
}

TEST_P(Contract, C16_impossible_page_sizes_and_files) {
  for (const std::uint32_t page_bytes : {0U, 1000U, 256U, 131072U}) {
    Options wrong = options();
    wrong.page_bytes = page_bytes;
    const auto file = try_open(wrong);
    ASSERT_FALSE(file) << page_bytes;
    EXPECT_EQ(file.error().code, Errc::bad_argument);
  }
  {
    files_.put(path(), "five!");
    const auto file = try_open(options());
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, Errc::not_page_file);
    EXPECT_EQ(file.error().text(),
              path() + ": its size of 5 bytes is not a multiple of the page size 4096");
    files_.remove(path());
  }
  files_.make_directory(path());
  EXPECT_EQ(try_open(options()).error().code, Errc::not_page_file);
  files_.remove(path());
  files_.make_fifo(path());
  EXPECT_EQ(try_open(options()).error().code, Errc::not_page_file) << "and must not wait";
  files_.remove(path());
  Options existing = options();
  existing.create = false;
  EXPECT_EQ(try_open(existing).error().code, Errc::cannot_open);
}

TEST_P(Contract, C16_a_failed_open_leaves_nothing_behind) {
  kernel_.fail_next(os::Call::fsync, EIO);
  EXPECT_FALSE(try_open(options()));
  EXPECT_FALSE(files_.exists(path())) << "a file that was made for nothing";
  if (is("uring")) {
    kernel_.fail_next(os::Call::io_uring_register, ENOMEM);
    const auto file = try_open(options());
    ASSERT_FALSE(file) << "registered buffers were asked for";
    EXPECT_EQ(file.error().code, Errc::not_available);
    EXPECT_NE(file.error().text().find("RLIMIT_MEMLOCK"), std::string::npos);
    EXPECT_FALSE(files_.exists(path()));
  }
  kernel_.fail_next(os::Call::fsync, EIO);
  kernel_.pretend_length(options().page_bytes);
  EXPECT_FALSE(try_open(options()));
  kernel_.pretend_length(0);
  EXPECT_TRUE(files_.exists(path())) << "somebody else has written into it meanwhile";
  (void)open_filled(2);
  kernel_.fail_next(os::Call::fsync, EIO);
  EXPECT_FALSE(try_open(options()));
  EXPECT_TRUE(files_.exists(path())) << "what was there before must stay";
}

TEST_P(Contract, C16_a_file_opened_for_reading_takes_no_writes) {
  Options reading = options();
  reading.create = false;
  reading.read_only = true;
  auto file = open_filled(4, reading);
  expect_page(*file, 2, 0);
  EXPECT_EQ(write(*file, 2, 1), Errc::read_only);
  EXPECT_EQ(run_one(*file, Op{.verb = Verb::punch, .page = 1}).result, Errc::read_only);
  EXPECT_FALSE(file->resize(8));
  EXPECT_EQ(file->failed(), Errc::ok);
}

TEST_P(Contract, C16_truncated_by_somebody_else_before_a_read) {
  auto file = open_filled(8);
  files_.resize(path(), 3 * file->geometry().page_bytes + 100);
  auto ref = read_page(*file, 5);
  if (file->geometry().base == nullptr) {
    ASSERT_FALSE(ref) << "it read beyond the end";
    EXPECT_EQ(ref.error().code, Errc::truncated);
    expect_page(*file, 1, 0);
    return;
  }
  // A map learns it by touching: the process lives, the bytes are zeros, and release() says so.
  ASSERT_TRUE(ref) << ref.error().text();
  EXPECT_EQ(ref->bytes()[7], std::byte{0});
  const auto released = ref->release();
  ASSERT_FALSE(released);
  EXPECT_EQ(released.error().code, Errc::truncated);
  EXPECT_EQ(released.error().text(),
            path() +
                ": page 5 (offset 20480): a page of the map cannot be had: the file was made "
                "shorter while it was open");
  EXPECT_EQ(run_one(*file, Op{.page = 1}).result, Errc::truncated) << "the next operation";
}

TEST_P(Contract, C16_truncated_by_somebody_else_while_a_frame_is_lent) {
  auto file = open_filled(8);
  auto ref = read_page(*file, 5);
  ASSERT_TRUE(ref) << ref.error().text();
  const auto expected = pattern(5, 0);
  EXPECT_EQ(ref->bytes()[0], expected[0]);
  files_.resize(path(), 0);
  if (file->geometry().base == nullptr) {
    EXPECT_EQ(std::memcmp(ref->bytes().data(), expected.data(), expected.size()), 0)
        << "a frame is a copy";
    EXPECT_TRUE(ref->release());
    return;
  }
  unsigned sum = 0;
  for (const std::byte byte : ref->bytes()) sum += static_cast<unsigned>(byte);
  EXPECT_EQ(sum, 0U);
  EXPECT_FALSE(ref->release());
  EXPECT_EQ(file->failed(), Errc::truncated);
  EXPECT_EQ(file->another() ? Errc::ok : Errc::truncated, Errc::ok);
  EXPECT_EQ(run_one(*file, Op{.verb = Verb::sync}).result, Errc::truncated);
}

TEST_P(Contract, C16_a_disk_that_fails_under_the_map) {
  if (!is("mmap")) GTEST_SKIP() << "no map: a failed read is an error value, see C11";
  auto file = open_filled(8);
  ASSERT_TRUE(file->resize(7));  // shorter than it was, by our own hand: that is no reason
  auto ref = read_page(*file, 5);
  ASSERT_TRUE(ref) << ref.error().text();
  // The signal is the same for a bad sector; what differs is that the file keeps its length.
  files_.resize(path(), 0);
  kernel_.pretend_length(7 * std::uint64_t{file->geometry().page_bytes});
  EXPECT_EQ(ref->bytes()[0], std::byte{0});
  const auto released = ref->release();
  ASSERT_FALSE(released);
  EXPECT_EQ(released.error().code, Errc::io);
  EXPECT_EQ(
      released.error().text(),
      path() +
          ": page 5 (offset 20480): a page of the map cannot be had: its disk failed or is full");
  kernel_.pretend_length(0);
  EXPECT_EQ(file->failed(), Errc::io) << "what has failed must not change its name";
  EXPECT_EQ(run_one(*file, Op{.page = 1}).result, Errc::io);
  EXPECT_EQ(run_one(*file, Op{.verb = Verb::sync}).result, Errc::io);
}

TEST_P(Contract, C16_a_sigbus_that_is_not_ours_ends_the_process) {
  if (!is("mmap")) GTEST_SKIP() << "no map, no signal handler";
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  auto file = open_filled(2);
  const int fd = ::open(path("other").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  void* const other = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0);
  ASSERT_NE(other, MAP_FAILED);
  ::close(fd);
  EXPECT_DEATH((void)*static_cast<const volatile char*>(other), "");
  ::munmap(other, 4096);
}

TEST_P(Contract, C16_every_page_size_works_or_says_why_not) {
  for (std::uint32_t page_bytes = 512; page_bytes <= 65536; page_bytes *= 2) {
    options_.page_bytes = page_bytes;
    if (caches()) options_.cache.bytes = 128 * std::uint64_t{page_bytes};
    files_.remove(path());
    auto opened = try_open(options_);
    if (!opened && opened.error().code == Errc::not_available) {
      EXPECT_LT(page_bytes, 4096U) << opened.error().text();
      EXPECT_NE(opened.error().text().find("not available here"), std::string::npos);
      continue;
    }
    ASSERT_TRUE(opened) << opened.error().text();
    ASSERT_TRUE((*opened)->resize(9));
    for (PageId page = 0; page < 9; ++page) ASSERT_EQ(write(**opened, page, 3), Errc::ok);
    ASSERT_TRUE(sync(**opened));
    for (PageId page = 0; page < 9; ++page) {
      expect_page(**opened, page, 3);
      EXPECT_EQ(raw_page(page), pattern(page, 3));
    }
  }
}

TEST_P(Contract, C16_growth_never_moves_what_is_lent) {
  auto file = open_filled(8);
  auto ref = read_page(*file, 5);
  ASSERT_TRUE(ref) << ref.error().text();
  const std::byte* base = file->geometry().base;
  ASSERT_TRUE(file->resize(5000));
  const auto expected = pattern(5, 0);
  EXPECT_EQ(std::memcmp(ref->bytes().data(), expected.data(), expected.size()), 0);
  EXPECT_EQ(file->geometry().base, base);
  EXPECT_TRUE(ref->release());
  EXPECT_EQ(write(*file, 4999, 1), Errc::ok);
  expect_page(*file, 4999, 1);
}

TEST_P(Contract, C16_options_out_of_range_are_refused) {
  const auto refused = [&](auto change) {
    Options wrong = options();
    change(wrong);
    const auto file = try_open(wrong);
    EXPECT_FALSE(files_.exists(path()));
    return !file && file.error().code == Errc::bad_argument;
  };
  EXPECT_TRUE(refused([](Options& o) { o.depth = 0; }));
  EXPECT_TRUE(refused([](Options& o) { o.depth = 100'000; }));
  EXPECT_TRUE(refused([](Options& o) { o.frames = UINT32_MAX; }));
  EXPECT_TRUE(refused([](Options& o) { o.read_only = true; })) << "created for reading only";
  EXPECT_TRUE(refused([](Options& o) { o.impl = "floppy"; }));
  const std::uint32_t threads = is("pread") ? UINT32_MAX : 4;
  EXPECT_TRUE(refused([&](Options& o) { o.threads = threads; })) << threads << " threads";
  EXPECT_TRUE(refused([](Options& o) { o.cache.bytes = 1000; })) << "no frame";
  EXPECT_TRUE(refused([](Options& o) { o.cache.bytes = UINT64_MAX; }));
}

TEST_P(Contract, C16_rare_options_keep_the_contract_too) {
  Options rare = options();
  if (is("uring")) {
    rare.registered_buffers = false;
  } else if (is("pread")) {
    rare.threads = 1;  // a pool of the caller alone
  } else if (is("mmap")) {
    rare.map_reserve_bytes = 1U << 20;
  }
  auto file = open_filled(8, rare);
  ASSERT_EQ(write(*file, 2, 1), Errc::ok);
  expect_page(*file, 2, 1);
  ASSERT_TRUE(sync(*file));
  Op op{.page = 3};
  Op* batch[] = {&op};
  Op* done[1];
  ASSERT_EQ(file->submit(batch), 1U);
  std::size_t polled = 0;
  for (int i = 0; i < 10'000'000 && polled == 0; ++i) polled = file->reap(done, 0);
  EXPECT_EQ(polled, 1U) << "polling alone must bring an operation to its end";
  if (is("mmap")) {
    const auto grown = file->resize(1000);
    ASSERT_FALSE(grown) << "beyond the reserved range";
    EXPECT_NE(grown.error().text().find("reserved"), std::string::npos);
  }
}

TEST_P(Contract, C16_a_file_written_by_one_is_read_by_every_other) {
  {
    auto file = open_filled(8);
    for (PageId page = 0; page < 8; page += 2) ASSERT_EQ(write(*file, page, 5), Errc::ok);
    ASSERT_TRUE(file->resize(9));
    ASSERT_EQ(write(*file, 8, 5), Errc::ok);
    ASSERT_TRUE(sync(*file));
  }
  for (const Variant& reader : variants()) {
    Options reading = reader.options;
    reading.kernel = &kernel_;
    reading.read_only = true;
    auto file = open(path(), reading);
    if (!file && file.error().code == Errc::not_available) continue;
    ASSERT_TRUE(file) << file.error().text();
    ASSERT_EQ((*file)->pages(), 9U);
    for (PageId page = 0; page < 9; ++page) expect_page(**file, page, page % 2 == 0 ? 5 : 0);
  }
}

}  // namespace pagealloc::conformance
