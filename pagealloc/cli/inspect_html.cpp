#include "pagealloc/cli/inspect_html.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "pagealloc/cli/host_file.h"
#include "pagealloc/cli/structured.h"
#include "pagealloc/cli/viewer.h"
#include "pagealloc/slotted/layout.h"
#include "pagealloc/slotted/verify.h"

namespace pagealloc::cli {

namespace {

using Json = nlohmann::ordered_json;
using Bytes = std::span<const std::byte>;

std::string base64(const std::string& bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      word = word << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += i + k > bytes.size() ? '=' : digits[word >> (18 - 6 * k) & 63U];
    }
  }
  return text;
}

/// LEB128: seven bits a byte, the lowest first.
void add_number(std::string& bytes, std::uint64_t number) {
  for (; number >= 128; number >>= 7) bytes += static_cast<char>(number | 128U);
  bytes += static_cast<char>(number);
}

/// All areas of a page, in order, so that none needs its offset: kind, bytes, and whose.
std::string packed(const std::vector<slotted::Area>& areas) {
  std::string bytes;
  for (const slotted::Area& area : areas) {
    bytes += static_cast<char>(area.kind);
    add_number(bytes, area.bytes);
    if (area.slot) add_number(bytes, *area.slot);
  }
  return base64(bytes);
}

/// What the browser needs to know of a page; viewer.js reads it.
Json details_of(const slotted::Layout& layout, std::uint32_t run, std::uint32_t checksum) {
  Json fields = Json::array();
  for (const slotted::Field& field : layout.fields) {
    if (field.offset_bytes < page::header_bytes || field.name == "zero") continue;
    fields.push_back({std::string(field.name), field.value});
  }
  return {layout.header.transaction,
          fmt::format("{:08x}", checksum),
          run,
          layout.damage ? layout.damage->cause : "",
          packed(layout.areas),
          std::move(fields)};
}

template <std::size_t count, typename Enum>
Json all_names() {
  Json names = Json::array();
  for (std::size_t i = 0; i < count; ++i) {
    names.push_back(std::string(name_of(static_cast<Enum>(i))));
  }
  return names;
}

/// JSON without anything that ends a script element.
std::string embedded(const Json& json) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

struct Gathered {
  std::uint64_t pages;
  std::size_t violations;
  std::string json;
};

/// What verify finds, as the viewer wants it: a line for the file, and one a page, so that it finds
/// a page without taking all of them apart.
Result<Gathered> gather(const Examined& examined, const page::Superblock& superblock) {
  std::string identity;
  for (const std::byte byte : superblock.identity) identity += fmt::format("{:02x}", byte);
  Json json = {{"file", std::string(examined.file().path())},
               {"page_bytes", superblock.page_bytes},
               {"pages", examined.pages()},
               {"mapped", examined.is_mapped()},
               {"commit", superblock.commit},
               {"identity", identity},
               {"roots", superblock.roots},
               {"map_root", superblock.map_root},
               {"used", superblock.used_pages},
               {"violations", Json::array()},
               {"conditions", all_names<slotted::conditions, slotted::Condition>()},
               {"kinds", all_names<slotted::kinds, slotted::Kind>()}};
  std::string map;
  std::string details;
  const auto add = [&](const Json& each) {
    details += (details.empty() ? "\n" : ",\n") + embedded(each);
  };
  const slotted::Witness witness{
      .violation =
          [&](const Error& error) {
            json["violations"].push_back({{"page", error.page.value_or(0)},
                                          {"offset", error.offset_bytes.value_or(0)},
                                          {"cause", error.cause}});
          },
      .page =
          [&](PageId page, std::uint32_t run, slotted::Condition condition, Bytes bytes) {
            map += static_cast<char>('0' + static_cast<int>(condition));
            map.append(run - 1, '+');
            add(bytes.empty() ? Json(0)
                              : details_of(slotted::layout_of(bytes, page, superblock.page_bytes),
                                           run, page::checksum_of(bytes)));
            for (std::uint32_t i = 1; i < run; ++i) add(0);
          }};
  if (const auto verified = examined.walk(witness); !verified) {
    return std::unexpected(verified.error());
  }
  json["map"] = std::move(map);
  json["details"] = Json::array();  // the last, whose brackets are opened again
  std::string head = embedded(json);
  head.resize(head.size() - std::string_view("]}").size());
  return Gathered{examined.pages(), json["violations"].size(), head + details + "\n]}"};
}

/// The template with each mark replaced by what it stands for.
std::string filled(std::string_view text, std::string_view mark, std::string_view with) {
  const auto at = text.find(mark);
  return fmt::format("{}{}{}", text.substr(0, at), with, text.substr(at + mark.size()));
}

Result<void> put(const std::string& out, const std::string& text) {
  os::Kernel& host = os::linux_kernel();
  struct statx found{};
  const bool there = host.statx(AT_FDCWD, out.c_str(), 0, STATX_TYPE, &found) == 0;
  const auto bytes = std::as_bytes(std::span(text));
  os::sim::FileImage image;
  image.bytes.assign(bytes.begin(), bytes.end());
  image.allocated.assign(os::sim::blocks_of(text.size()), true);
  return put_on_host(out, there ? std::optional(os::sim::FileImage{}) : std::nullopt, image);
}

/// A browser's page in place of the file that it is about would be the end of that; and what takes
/// the place of a device or a link is not what was meant.
Result<void> check_out(const std::string& path, const std::string& out) {
  struct statx to{};
  os::Kernel& host = os::linux_kernel();
  const int result =
      host.statx(AT_FDCWD, out.c_str(), AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_TYPE, &to);
  if (result == -ENOENT) return {};
  if (result < 0) {
    return std::unexpected(error_at(out, errc_of_open(-result), "cannot open", -result));
  }
  if ((to.stx_mode & S_IFMT) != S_IFREG) {
    return std::unexpected(
        error_at(out, Errc::bad_argument, "exists and is no regular file; nothing was written"));
  }
  struct statx from{};
  if (host.statx(AT_FDCWD, path.c_str(), 0, STATX_INO, &from) < 0) return {};
  if (from.stx_ino != to.stx_ino || from.stx_dev_major != to.stx_dev_major ||
      from.stx_dev_minor != to.stx_dev_minor) {
    return {};
  }
  return std::unexpected(
      error_at(out, Errc::bad_argument, "this is the file itself; nothing was written"));
}

}  // namespace

Result<void> write_html(const FileArgs& args, const std::string& out) {
  if (auto good = check_out(args.path, out); !good) return good;
  const auto examined = Examined::open(args);
  if (!examined) return std::unexpected(examined.error());
  if (!examined->superblock()) {
    return std::unexpected(error_at(args.path, Errc::damaged,
                                    "no copy of its superblock is whole, so there is nothing to "
                                    "draw (pagealloc verify tells the rest)"));
  }
  const auto gathered = gather(*examined, *examined->superblock());
  if (!gathered) return std::unexpected(gathered.error());
  if (auto done = put(out, filled(viewer, "@DATA@", gathered->json)); !done) return done;
  auto printed = print(fmt::format("{}: {} of {}, {}\n", out, plural(gathered->pages, "page"),
                                   args.path, plural(gathered->violations, "violation")));
  if (!printed || gathered->violations == 0) return printed;
  return std::unexpected(
      error_at(args.path, Errc::damaged, plural(gathered->violations, "violation")));
}

}  // namespace pagealloc::cli
