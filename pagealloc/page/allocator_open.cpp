// Making a structured file, and finding its last commit again.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "pagealloc/page/allocator.h"

namespace pagealloc::page {

namespace {

constexpr std::array<PageId, superblocks> copies = {0, 1, 2, 3};

/// Which of the errors says best why there is no superblock to be read.
Error explain(std::vector<Error> errors, bool second_pair_is_blank) {
  const auto first = [&](auto is_it) { return std::ranges::find_if(errors, is_it, &Error::code); };
  auto chosen = first([](Errc code) { return code == Errc::bad_argument; });
  if (chosen == errors.end()) {
    chosen = first([](Errc code) { return code != Errc::not_page_file; });
  }
  if (chosen == errors.end()) {
    chosen = errors.begin();
    chosen->cause += "; this is no file of structured pages, or making it one was never finished";
  } else if (chosen->code == Errc::damaged && second_pair_is_blank) {
    chosen->code = Errc::not_page_file;
    chosen->cause += "; making this a file of structured pages was never finished";
  }
  return std::move(*chosen);
}

}  // namespace

Result<Allocator> Allocator::format(PageFile& file, const Identity& identity) {
  Allocator made(file);
  if (file.geometry().fixed_size) {
    return std::unexpected(Error{.code = Errc::not_available,
                                 .path = std::string(file.path()),
                                 .cause = "not available here: structured pages on a device, whose "
                                          "length is fixed"});
  }
  if (file.pages() != 0) {
    return std::unexpected(
        made.refuse(0, Errc::bad_argument,
                    fmt::format("the file is not empty, it has {} pages", file.pages())));
  }
  made.last_.page_bytes = file.geometry().page_bytes;
  made.last_.identity = identity;
  if (auto grown = made.grow(superblocks + 1); !grown) return std::unexpected(grown.error());
  for (const PageId page : copies) {
    if (auto taken = made.take(1); !taken) return std::unexpected(taken.error());
    (void)page;
  }
  if (auto given = made.give_homes(); !given) return std::unexpected(given.error());
  Superblock first = made.last_;
  first.pages = made.pages();
  first.used_pages = made.used_pages_;
  if (auto done = made.tree_.write(file, made.map_, 0, first); !done) {
    return std::unexpected(done.error());
  }
  // The second pair last: while it is blank and the first is not whole, nothing was ever promised.
  for (const PageId pair : {PageId{0}, PageId{2}}) {
    if (auto durable = sync(file); !durable) return std::unexpected(durable.error());
    if (auto written = made.write_superblocks(first, pair); !written) {
      return std::unexpected(written.error());
    }
  }
  if (auto durable = sync(file); !durable) return std::unexpected(durable.error());
  made.settle(first, 0);
  return made;
}

Result<Allocator> Allocator::open(PageFile& file) {
  Allocator opened(file);
  if (auto found = opened.find_superblock(); !found) return std::unexpected(found.error());
  const Superblock& superblock = opened.last_;
  if (superblock.pages > file.pages()) {
    return std::unexpected(opened.refuse(
        opened.at_, Errc::truncated,
        fmt::format("the file was cut off: its last commit has {} pages, and here are {}",
                    superblock.pages, file.pages())));
  }
  // Before anything is made as large as it says.
  if (auto good = opened.tree_.check_root(file, superblock); !good) {
    return std::unexpected(good.error());
  }
  opened.map_.resize(superblock.pages);
  if (auto loaded = opened.tree_.load(file, superblock, opened.map_); !loaded) {
    return std::unexpected(loaded.error());
  }
  opened.used_pages_ = superblock.used_pages;
  opened.roots = superblock.roots;
  if (auto good = opened.check_map(); !good) return std::unexpected(good.error());
  return opened;
}

Result<Superblock> Allocator::last_commit(PageFile& file) {
  Allocator looking(file);
  if (auto found = looking.find_superblock(); !found) return std::unexpected(found.error());
  return looking.last_;
}

Result<void> Allocator::find_superblock() {
  std::vector<Error> errors;
  unsigned whole = 0;  // a bit for each copy
  bool second_pair_is_blank = true;
  std::optional<Superblock> best;
  for (const PageId page : copies) {
    if (page >= file_->pages()) {
      errors.push_back(refuse(page, Errc::not_page_file, "no superblock: the file ends before it"));
      continue;
    }
    const auto lent = read_page(*file_, page);
    if (!lent) {  // a sector that cannot be read: its twin may be
      errors.push_back(lent.error());
      second_pair_is_blank = second_pair_is_blank && page < 2;
      continue;
    }
    const auto found = decode(lent->bytes(), page);
    if (page >= 2 && !is_blank(lent->bytes())) second_pair_is_blank = false;
    if (!found) {
      errors.push_back(error_of(*file_, page, found.error()));
      continue;
    }
    whole |= 1U << page;
    if (best && found->commit <= best->commit) continue;
    best = *found;
    at_ = page / 2 * 2;
  }
  if (!best) return std::unexpected(explain(std::move(errors), second_pair_is_blank));
  last_ = *best;
  // Beside a copy that is whole, whatever is no superblock is one that has gone bad.
  for (Error& error : errors) {
    if (error.code != Errc::io) error.code = Errc::damaged;
  }
  damaged_ = std::move(errors);
  return file_->geometry().read_only ? Result<void>{} : mend_superblocks(whole);
}

/// Writes the last commit over every copy that is not whole. What is whole is left alone, so that
/// the power may go meanwhile.
Result<void> Allocator::mend_superblocks(unsigned whole) {
  if (whole == (1U << superblocks) - 1) return {};
  Buffer buffer(file_->geometry().page_bytes, 1);
  for (const PageId page : copies) {
    if ((whole >> page & 1U) != 0) continue;
    encode(buffer.bytes(), page, last_);
    if (auto written = write_run(*file_, page, buffer.bytes()); !written) return written;
  }
  return sync(*file_);
}

/// What checksums vouch for and still cannot be: a map that was written by something else.
Result<void> Allocator::check_map() const {
  std::uint64_t used = 0;
  std::uint64_t run = 0;
  State before = State::free;
  for (PageId page = 0; page < pages(); ++page) {
    const State now = state(page);
    const bool in_use = now == State::used || now == State::inside;
    used += in_use ? 1 : 0;
    if (now == State::inside && before != State::used && before != State::inside) {
      return std::unexpected(
          refuse(page, Errc::damaged, "inside of a run that the free map shows no beginning of"));
    }
    run = now == State::inside ? run + 1 : 1;
    if (run > run_max()) {
      return std::unexpected(
          refuse(page, Errc::damaged, fmt::format("a run of more than {} pages", run_max())));
    }
    if (now != State::used && (page < superblocks || is_map(page))) {
      return std::unexpected(
          refuse(page, Errc::damaged,
                 fmt::format("{} in the free map, and is {}", name_of(now),
                             page < superblocks ? "a superblock" : "a part of it")));
    }
    before = now;
  }
  if (used == last_.used_pages) return {};
  return std::unexpected(refuse(at_, Errc::damaged,
                                fmt::format("{} pages in use by the superblock, {} by the free map",
                                            last_.used_pages, used)));
}

}  // namespace pagealloc::page
