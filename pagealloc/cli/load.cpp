// `pagealloc load`: lines as records, in new pages of a structured file.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <map>

#include "pagealloc/cli/structured.h"
#include "pagealloc/slotted/node.h"
#include "pagealloc/slotted/overflow.h"
#include "pagealloc/slotted/page.h"

namespace pagealloc::cli {

namespace {

using Bytes = std::span<const std::byte>;

struct Args {
  FileArgs file;
  bool sorted = false;
};

Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

/// A record as it stands in a page: itself, or what refers to pages of its own.
struct Stored {
  slotted::ReferenceBytes reference;
  slotted::Record record;
};

/// Fills one new page after the other. Nothing that was in the file is touched, so that until the
/// commit it is as it was.
class Pages {
 public:
  explicit Pages(page::Allocator& allocator)
      : allocator_(allocator), buffer_(allocator.file().geometry().page_bytes, 1) {}

  std::span<std::byte> bytes() { return buffer_.bytes(); }
  /// A record of more than a quarter of a page gets pages of its own, so that a page holds several.
  Result<void> store(const std::string& text, Stored& stored) {
    stored.record = {bytes_of(text), false};
    if (text.size() <= bytes().size() / 4) return {};
    const auto reference = slotted::write_overflow(allocator_, bytes_of(text));
    if (!reference) return std::unexpected(reference.error());
    stored.reference = slotted::encode(*reference);
    stored.record = {stored.reference, true};
    return {};
  }
  Result<void> write(page::Type type) {
    const auto page = allocator_.allocate();
    if (!page) return std::unexpected(page.error());
    ++written_;
    return page::write(allocator_.file(), buffer_,
                       {.type = type, .page = *page, .transaction = allocator_.transaction()});
  }
  std::uint64_t written() const { return written_; }

 private:
  page::Allocator& allocator_;
  page::Buffer buffer_;
  std::uint64_t written_ = 0;
};

Result<std::uint64_t> load_records(Pages& pages) {
  std::uint64_t count = 0;
  auto page = slotted::Page::make(pages.bytes());
  for (std::string line; std::getline(std::cin, line); ++count) {
    Stored stored;
    if (auto done = pages.store(line, stored); !done) return std::unexpected(done.error());
    if (page.insert(stored.record)) continue;
    if (auto done = pages.write(page::Type::slotted); !done) return std::unexpected(done.error());
    page = slotted::Page::make(pages.bytes());
    (void)page.insert(stored.record);
  }
  if (page.records() == 0) return count;
  if (auto done = pages.write(page::Type::slotted); !done) return std::unexpected(done.error());
  return count;
}

Error refuse(const Args& args, std::uint64_t line, std::string cause) {
  return error_at(args.file.path, Errc::bad_argument,
                  fmt::format("line {}: {}; nothing was loaded", line, cause));
}

Result<std::map<std::string, std::string>> read_pairs(const Args& args) {
  std::map<std::string, std::string> pairs;
  std::uint64_t number = 1;
  for (std::string line; std::getline(std::cin, line); ++number) {
    const auto tab = line.find('\t');
    if (tab == std::string::npos) {
      return std::unexpected(refuse(args, number, "no tab between a key and its value"));
    }
    if (!pairs.emplace(line.substr(0, tab), line.substr(tab + 1)).second) {
      return std::unexpected(refuse(args, number, "its key was there before"));
    }
    if (tab > args.file.page_bytes / 4) {
      return std::unexpected(refuse(
          args, number,
          fmt::format("a key of {} bytes, where {} are the most", tab, args.file.page_bytes / 4)));
    }
  }
  return pairs;
}

Result<std::uint64_t> load_pairs(const Args& args, Pages& pages) {
  const auto pairs = read_pairs(args);
  if (!pairs) return std::unexpected(pairs.error());
  auto node = slotted::Node::make(pages.bytes());
  const auto write = [&] {
    node.compact();
    return pages.write(page::Type::node);
  };
  for (const auto& [key, value] : *pairs) {
    Stored stored;
    if (auto done = pages.store(value, stored); !done) return std::unexpected(done.error());
    if (node.insert(bytes_of(key), stored.record) == slotted::Put::done) continue;
    if (auto done = write(); !done) return std::unexpected(done.error());
    node = slotted::Node::make(pages.bytes());
    (void)node.insert(bytes_of(key), stored.record);
  }
  if (node.slots() == 0) return pairs->size();
  if (auto done = write(); !done) return std::unexpected(done.error());
  return pairs->size();
}

Result<void> load(const Args& given) {
  auto opened = open_structured(given.file, false);
  if (!opened) return std::unexpected(opened.error());
  Args args = given;
  args.file.page_bytes = opened->file->geometry().page_bytes;
  const std::uint64_t before = opened->allocator.census().used;
  Pages pages(opened->allocator);
  const auto count = args.sorted ? load_pairs(args, pages) : load_records(pages);
  if (!count) return std::unexpected(count.error());
  // An error of the standard input ends std::getline as its end does.
  if (std::cin.bad() || std::ferror(stdin) != 0) {
    return std::unexpected(error_at({}, Errc::io, "cannot read the standard input", errno));
  }
  const std::uint64_t large = opened->allocator.census().used - before - pages.written();
  if (auto done = opened->allocator.commit(); !done) return done;
  const std::string for_large =
      large == 0 ? "" : fmt::format(", and {} for those that are too large", plural(large, "page"));
  return print(fmt::format("{}: {} in {}{}; commit {}, durable\n", args.file.path,
                           plural(*count, "record"),
                           plural(pages.written(), args.sorted ? "node" : "slotted page"),
                           for_large, opened->allocator.superblock().commit));
}

void add_options(CLI::App& command, Args& args) {
  add_structured(command, args.file);
  add_flag(command, "--sorted", args.sorted,
           "each line is a key, a tab and a value, for nodes of a B+tree");
  add_impl(command, args.file);
}

}  // namespace

void add_load(CLI::App& app, Exit& exit) {
  add_command<Args>(app, exit, "load",
                    "Put the lines of the standard input into new pages: all of them, or none",
                    "While it runs no other of these commands gets at the file.\n"
                    "Examples:\n"
                    "  pagealloc load s.pa < /etc/services\n"
                    "  printf 'apple\\t1\\napricot\\t2\\n' | pagealloc load s.pa --sorted",
                    add_options, load);
}

}  // namespace pagealloc::cli
