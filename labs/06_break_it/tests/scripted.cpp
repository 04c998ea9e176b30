#include "labs/06_break_it/tests/scripted.h"

#include <fmt/format.h>

#include "harness/crash/two_page.h"

namespace pagealloc::labs {

namespace {

Error told(std::string cause) { return {.code = Errc::not_page_file, .cause = std::move(cause)}; }

class Scripted final : public crash::Store {
  Result<void> open(const std::string&, const Options&) override {
    ++script().opened;
    if (script().opens) return {};
    return std::unexpected(told("the store says that it cannot be opened"));
  }
  Result<void> commit(std::uint64_t number) override {
    script().asked.push_back(number);
    if (script().bounds != nullptr) script().seen.push_back(*script().bounds);
    if (script().fails_at == number) {
      return std::unexpected(told("the store says that its sync failed"));
    }
    script().last = number;
    return {};
  }
  std::uint64_t last() const override { return script().last; }
  Result<std::vector<std::byte>> read() override {
    if (script().bytes) return *script().bytes;
    return std::unexpected(told("the store says that a page is not whole"));
  }
};

}  // namespace

Script& script() {
  static Script the;
  return the;
}

Script holding(std::uint64_t last) {
  Script script{.last = last};
  if (last != 0) script.bytes = crash::TwoPage::contents(last);
  return script;
}

crash::StoreKind scripted() {
  return {.name = "scripted",
          .mistake = "",
          .caught_by = "",
          .seeds_max = 0,
          .make = []() -> std::unique_ptr<crash::Store> { return std::make_unique<Scripted>(); },
          .contents = crash::TwoPage::contents};
}

std::string text_of(const Script& script) {
  if (!script.opens) return "open() gives an error";
  return fmt::format("open() succeeds, last() is {}, read() gives {}", script.last,
                     script.bytes ? fmt::format("{} bytes", script.bytes->size()) : "an error");
}

std::string text_of(const std::optional<crash::Wrong>& wrong) {
  if (!wrong) return "nothing is wrong";
  return fmt::format(
      "oracle ({}), \"{}\", {}", wrong->oracle, wrong->found,
      wrong->served ? "served as if all were well" : "not served: the store said so");
}

std::string text_of(const crash::Bounds& bounds) {
  return fmt::format("{} acknowledged, {} submitted", bounds.acknowledged, bounds.submitted);
}

}  // namespace pagealloc::labs
