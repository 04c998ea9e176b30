// Clauses 5, 6, 9, 10 and 13: which bytes change, when, and which must not.
#include <cstring>
#include <memory>

#include "pagealloc/conformance/contract.h"

namespace pagealloc::conformance {

namespace {

/// Memory of the caller's, aligned to all that an implementation may ask.
struct Aligned {
  explicit Aligned(std::size_t bytes)
      : memory(static_cast<std::byte*>(std::aligned_alloc(65536, (bytes + 65535) / 65536 * 65536)),
               &std::free) {}
  std::byte* data() const { return memory.get(); }
  std::unique_ptr<std::byte, void (*)(void*)> memory;
};

}  // namespace

TEST_P(Contract, C05_other_pages_writes_leave_a_lent_frame_alone) {
  auto file = open_filled(8);
  const Op read = run_one(*file, Op{.page = 2});
  ASSERT_EQ(read.result, Errc::ok);
  const auto expected = pattern(2, 0);
  ASSERT_EQ(std::memcmp(read.frame, expected.data(), expected.size()), 0);
  ASSERT_EQ(write(*file, 1, 1), Errc::ok);
  ASSERT_EQ(write(*file, 3, 1), Errc::ok);
  EXPECT_EQ(std::memcmp(read.frame, expected.data(), expected.size()), 0)
      << "the lent frame of page 2 changed when its neighbours were written";
  file->release(read.frame, 1);
}

TEST_P(Contract, C06_a_write_spends_its_staged_frame) {
  auto file = open_filled(8);
  if (stores_into_map()) {  // in place there are no frames to spend; after a punch there are
    ASSERT_EQ(run_one(*file, Op{.verb = Verb::punch, .page = 7}).result, Errc::ok);
  }
  for (std::uint32_t i = 0; i < 3 * file->geometry().frames; ++i) {
    std::byte* frame = file->stage(i % 8, 1);
    ASSERT_NE(frame, nullptr) << "write " << i << " found no frame: earlier ones were not spent";
    const auto bytes = pattern(i % 8, i);
    std::memcpy(frame, bytes.data(), bytes.size());
    const Op op = run_one(*file, Op{.verb = Verb::write, .page = i % 8, .frame = frame});
    ASSERT_EQ(op.result, Errc::ok);
    EXPECT_EQ(op.frame, nullptr) << "spent means that nobody can use it by mistake";
    expect_page(*file, i % 8, i);
  }
}

TEST_P(Contract, C06_a_write_from_the_callers_memory) {
  auto file = open_filled(8);
  expect_page(*file, 3, 0);  // perhaps cached now
  const std::size_t page_bytes = file->geometry().page_bytes;
  Aligned memory(2 * page_bytes);
  for (PageId i = 0; i < 2; ++i) {
    const auto bytes = pattern(3 + i, 9);
    std::memcpy(memory.data() + i * page_bytes, bytes.data(), page_bytes);
  }
  const Op op =
      run_one(*file, Op{.verb = Verb::write, .run = 2, .page = 3, .frame = memory.data()});
  EXPECT_EQ(op.result, Errc::ok);
  EXPECT_EQ(op.frame, memory.data()) << "the caller's memory stays the caller's";
  expect_page(*file, 3, 9);
  expect_page(*file, 4, 9);
  EXPECT_EQ(raw_page(4), pattern(4, 9));
}

TEST_P(Contract, C06_a_staged_frame_released_unwritten_changes_nothing) {
  auto file = open_filled(8);
  std::byte* frame = file->stage(3, 1);
  ASSERT_NE(frame, nullptr);
  if (!stores_into_map()) std::memset(frame, 0x5A, 64);  // on a writable map: undefined
  file->release(frame, 1);
  expect_page(*file, 3, 0);
  EXPECT_EQ(raw_page(3), pattern(3, 0));
}

TEST_P(Contract, C06_a_staged_frame_is_written_as_it_was_staged) {
  auto file = open_filled(8);
  if (stores_into_map()) {  // in place there is no frame that could be confused
    ASSERT_EQ(run_one(*file, Op{.verb = Verb::punch, .page = 7}).result, Errc::ok);
  }
  for (const std::uint32_t run : {0U, 2U, 100U, UINT32_MAX}) {
    std::byte* frame = file->stage(1, 1);
    ASSERT_NE(frame, nullptr) << "an earlier refusal lost a frame";
    const Op op = run_one(*file, Op{.verb = Verb::write, .run = run, .page = 1, .frame = frame});
    EXPECT_NE(op.result, Errc::ok) << "run " << run << " of a frame of one page";
    EXPECT_EQ(op.frame, nullptr) << "spent whatever the result";
  }
  std::vector<std::byte*> staged;
  for (std::uint32_t i = 0; i < file->geometry().frames; ++i) {
    staged.push_back(file->stage(1, 1));
    ASSERT_NE(staged.back(), nullptr) << "a refused write must give its frame back";
  }
  EXPECT_EQ(file->stage(1, 1), nullptr) << "more frames than there are";
  for (std::byte* frame : staged) file->release(frame, 1);
  expect_page(*file, 1, 0);
  expect_page(*file, 2, 0);
}

TEST_P(Contract, C09_no_byte_outside_the_range_changes) {
  for (const std::uint32_t run : {1U, 2U, 3U}) {
    auto file = open_filled(8);
    const std::size_t page_bytes = file->geometry().page_bytes;
    std::byte* frame = file->stage(3, run);
    ASSERT_NE(frame, nullptr);
    for (PageId i = 0; i < run; ++i) {
      const auto bytes = pattern(3 + i, 4);
      std::memcpy(frame + i * page_bytes, bytes.data(), page_bytes);
    }
    const Op op = run_one(*file, Op{.verb = Verb::write, .run = run, .page = 3, .frame = frame});
    ASSERT_EQ(op.result, Errc::ok);
    ASSERT_TRUE(sync(*file));
    file.reset();
    for (PageId page = 0; page < 8; ++page) {
      const bool written = page >= 3 && page < 3 + run;
      EXPECT_EQ(raw_page(page), pattern(page, written ? 4 : 0))
          << "page " << page << " run " << run;
    }
    EXPECT_EQ(files_.size(path()), 8 * page_bytes);
  }
}

TEST_P(Contract, C10_short_transfers_are_completed) {
  auto file = open_filled(8);
  const std::size_t page_bytes = file->geometry().page_bytes;
  // Through the page cache a transfer may end anywhere; past it, where the next one may begin.
  const std::size_t unit = std::max(file->geometry().align_bytes, 1U);
  kernel_.set_short_transfers(unit == 1 ? 777 : unit);
  const Op read = run_one(*file, Op{.run = 3, .page = 5});
  ASSERT_EQ(read.result, Errc::ok);
  for (PageId i = 0; i < 3; ++i) {
    const auto expected = pattern(5 + i, 0);
    EXPECT_EQ(std::memcmp(read.frame + i * page_bytes, expected.data(), page_bytes), 0) << i;
  }
  file->release(read.frame, 3);
  std::byte* frame = file->stage(2, 3);
  ASSERT_NE(frame, nullptr);
  for (PageId i = 0; i < 3; ++i) {
    const auto bytes = pattern(2 + i, 1);
    std::memcpy(frame + i * page_bytes, bytes.data(), page_bytes);
  }
  const Op written = run_one(*file, Op{.verb = Verb::write, .run = 3, .page = 2, .frame = frame});
  ASSERT_EQ(written.result, Errc::ok);
  kernel_.set_short_transfers(0);
  for (PageId page = 0; page < 8; ++page) {
    EXPECT_EQ(raw_page(page), pattern(page, page >= 2 && page < 5 ? 1 : 0))
        << "page " << page << ": a short transfer was taken for the whole";
  }
}

TEST_P(Contract, C10_interrupted_calls_are_repeated) {
  kernel_.fail_next(os::Call::open, EINTR);     // of the file
  kernel_.fail_next(os::Call::open, EINTR, 1);  // and of its directory
  auto file = open_filled(8);
  kernel_.fail_next(os::Call::ftruncate, EINTR);
  EXPECT_TRUE(file->resize(7));
  kernel_.fail_next(os::Call::fallocate, EINTR);
  EXPECT_TRUE(file->resize(8));
  ASSERT_EQ(write(*file, 7, 0), Errc::ok);
  for (const os::Call call : {os::Call::preadv, os::Call::pwritev, sync_call()}) {
    kernel_.fail_next(call, EINTR);
    kernel_.fail_next(call, EINTR);
  }
  if (is("uring")) {
    for (const int again : {EINTR, EAGAIN, EBUSY}) {
      kernel_.fail_next(os::Call::io_uring_enter, again);
    }
    kernel_.fail_next(os::Call::preadv, EAGAIN);
  }
  expect_page(*file, 1, 0);
  EXPECT_EQ(write(*file, 2, 1), Errc::ok);
  EXPECT_TRUE(sync(*file));
  expect_page(*file, 2, 1);
  EXPECT_EQ(raw_page(2), pattern(2, 1));
}

TEST_P(Contract, C13_a_punched_page_reads_as_zero) {
  auto file = open_filled(8);
  const std::size_t page_bytes = file->geometry().page_bytes;
  expect_page(*file, 3, 0);
  ASSERT_EQ(run_one(*file, Op{.verb = Verb::punch, .run = 2, .page = 3}).result, Errc::ok);
  const std::vector<std::byte> zeros(page_bytes);
  for (const PageId page : {PageId{3}, PageId{4}}) {
    auto ref = read_page(*file, page);
    ASSERT_TRUE(ref) << ref.error().text();
    EXPECT_EQ(std::memcmp(ref->bytes().data(), zeros.data(), page_bytes), 0) << "page " << page;
  }
  expect_page(*file, 2, 0);
  expect_page(*file, 5, 0);
  EXPECT_EQ(file->pages(), 8U) << "punching keeps the length";
  ASSERT_EQ(write(*file, 3, 2), Errc::ok) << "a punched page can be written again";
  expect_page(*file, 3, 2);
  ASSERT_TRUE(sync(*file));
  EXPECT_EQ(raw_page(3), pattern(3, 2));
  EXPECT_EQ(raw_page(4), zeros);
}

}  // namespace pagealloc::conformance
