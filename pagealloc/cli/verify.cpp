// `pagealloc verify`: reads all of a structured file, and reports everything that is wrong.
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "pagealloc/cli/structured.h"
#include "pagealloc/slotted/verify.h"

namespace pagealloc::cli {

namespace {

struct Args {
  FileArgs file;
  bool json = false;
};

/// On a terminal, and not more often than it changes.
class Progress {
 public:
  explicit Progress(std::uint64_t pages) : pages_(pages), shown_(isatty(STDERR_FILENO) != 0) {}
  ~Progress() {
    if (shown_ && percent_ > 0) fmt::print(stderr, "\r{:40}\r", "");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void at(PageId page) {
    constexpr std::uint64_t worth_it = 100'000;
    if (!shown_ || pages_ < worth_it || page * 100 / pages_ == percent_) return;
    percent_ = page * 100 / pages_;
    fmt::print(stderr, "\r{} % of {} pages ", percent_, pages_);
  }

 private:
  std::uint64_t pages_;
  std::uint64_t percent_ = 0;
  bool shown_;
};

nlohmann::ordered_json json_of(const Error& error) {
  nlohmann::ordered_json json;
  if (error.page) json["page"] = *error.page;
  if (error.offset_bytes) json["offset"] = *error.offset_bytes;
  json["cause"] = error.cause;
  return json;
}

std::string counts_of(const slotted::Verified& verified) {
  std::string text;
  for (std::size_t i = 0; i < slotted::conditions; ++i) {
    if (verified.pages[i] == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", verified.pages[i],
                        name_of(static_cast<slotted::Condition>(i)));
  }
  return text;
}

Result<void> report(const Args& args, const Examined& examined, const slotted::Verified& verified,
                    const nlohmann::ordered_json& violations) {
  const std::uint32_t page_bytes = examined.file().geometry().page_bytes;
  const auto& superblock = examined.superblock();
  if (args.json) {
    nlohmann::ordered_json json = {
        {"file", args.file.path}, {"page_bytes", page_bytes}, {"pages", examined.pages()}};
    json["commit"] = superblock ? nlohmann::ordered_json(superblock->commit) : nullptr;
    for (std::size_t i = 0; i < slotted::conditions; ++i) {
      json["counts"][std::string(name_of(static_cast<slotted::Condition>(i)))] = verified.pages[i];
    }
    json["violations"] = violations;
    return print(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  return print(fmt::format("{}: {} of {} bytes, commit {}: {}\n", args.file.path,
                           plural(examined.pages(), "page"), page_bytes,
                           superblock ? std::to_string(superblock->commit) : "unknown",
                           counts_of(verified)));
}

Result<void> verify(const Args& args) {
  const auto examined = Examined::open(args.file);
  if (!examined) return std::unexpected(examined.error());
  Progress progress(examined->pages());
  nlohmann::ordered_json violations = nlohmann::ordered_json::array();
  Result<void> printed;
  const slotted::Witness witness{.violation =
                                     [&](const Error& error) {
                                       if (args.json) {
                                         violations.push_back(json_of(error));
                                       } else if (printed) {
                                         printed = print(error.text() + "\n");
                                       }
                                     },
                                 .page = [&](PageId page, std::uint32_t, slotted::Condition,
                                             std::span<const std::byte>) { progress.at(page); }};
  const auto verified = examined->walk(witness);
  if (!verified) return std::unexpected(verified.error());
  if (!printed) return printed;
  if (auto done = report(args, *examined, *verified, violations); !done) return done;
  if (verified->violations == 0) return {};
  return std::unexpected(
      error_at(args.file.path, Errc::damaged, plural(verified->violations, "violation")));
}

void add_options(CLI::App& command, Args& args) {
  add_structured(command, args.file);
  add_flag(command, "--json", args.json, "print JSON");
  add_impl(command, args.file);
}

}  // namespace

void add_verify(CLI::App& app, Exit& exit) {
  add_command<Args>(
      app, exit, "verify", "Read all of a structured file and report everything that is wrong",
      "Exit code 7 when anything is. Changes nothing. Where the free map is damaged,\n"
      "each page is looked at by itself: nobody can tell then which are in use.\n"
      "Examples:\n"
      "  pagealloc verify s.pa\n"
      "  pagealloc verify s.pa --json --impl uring",
      add_options, verify);
}

}  // namespace pagealloc::cli
